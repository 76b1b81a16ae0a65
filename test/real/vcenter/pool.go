package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// poolFigures are those of the resource pool; what is nil stays. Without the unreserved ones all of the pool is unreserved.
type poolFigures struct {
	CPUMHz             *int64 `json:"cpu_mhz"`
	CPUUsed            *int64 `json:"cpu_used_mhz"`
	CPUUnreserved      *int64 `json:"cpu_unreserved_mhz"`
	MemoryMB           *int64 `json:"memory_mb"`
	MemoryUsedMB       *int64 `json:"memory_used_mb"`
	MemoryUnreservedMB *int64 `json:"memory_unreserved_mb"`
}

func (e *estate) setPool(f poolFigures) {
	pool := e.registry.Get(e.pool.Reference()).(*simulator.ResourcePool)
	ctx := e.context()
	ctx.WithLock(pool, func() {
		runtime := pool.Runtime
		runtime.Cpu = usage(runtime.Cpu, 1, f.CPUMHz, f.CPUUsed, f.CPUUnreserved)
		runtime.Memory = usage(runtime.Memory, 1<<20, f.MemoryMB, f.MemoryUsedMB, f.MemoryUnreservedMB)
		ctx.Update(pool, []types.PropertyChange{{Name: "runtime", Val: runtime}})
	})
}

func usage(u types.ResourcePoolResourceUsage, unit int64, size, used, unreserved *int64) types.ResourcePoolResourceUsage {
	if size != nil {
		u.MaxUsage, u.UnreservedForPool, u.UnreservedForVm = *size*unit, *size*unit, *size*unit
	}
	if used != nil {
		u.OverallUsage = *used * unit
	}
	if unreserved != nil {
		u.UnreservedForPool, u.UnreservedForVm = *unreserved*unit, *unreserved*unit
		u.ReservationUsed, u.ReservationUsedForVm = u.MaxUsage-u.UnreservedForVm, u.MaxUsage-u.UnreservedForVm
	}
	return u
}
