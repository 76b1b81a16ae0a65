package main

import (
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// herald tells subscribers what the simulator changes without a word:
//   - name, annotation and size at a reconfigure (it announces the new change version only);
//   - at a rename the names below config, at a power-on the boot time, and at both a new change version, as vCenter has it because
//     it writes the machine's file;
//   - the status below a customization (it matches a change with the paths above it, not with those below).
//
// A machine that is being made has no name yet, and nothing is told of it: a subscriber would hear that after the machine entered its
// view, and vCenter tells nothing there that is older. Its name is the last that the simulator sets, and then everything is told.
//
// It also tells the guests about power and removal. The simulator calls it while it holds the machine's lock.
type herald struct {
	guests *guests

	mu   sync.Mutex
	told map[types.ManagedObjectReference]announced
}

// announced is what subscribers were last told of a machine.
type announced struct {
	name, annotation string
	cpus, memoryMB   int32
}

func newHerald(guests *guests) *herald {
	return &herald{guests: guests, told: make(map[types.ManagedObjectReference]announced)}
}

func (h *herald) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "Herald", Value: "herald"}
}

func (h *herald) PutObject(*simulator.Context, mo.Reference) {}

func (h *herald) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	if ref.Type != "VirtualMachine" {
		return
	}
	h.mu.Lock()
	delete(h.told, ref)
	h.mu.Unlock()
	h.guests.forget(ref)
}

func (h *herald) UpdateObject(ctx *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	vm, ok := obj.(*mo.VirtualMachine)
	if !ok || vm.Config == nil || vm.Name == "" {
		return
	}
	for _, change := range changes {
		switch change.Name {
		case "name":
			if vm.Config.Name != vm.Name {
				vm.Config.Name, vm.Summary.Config.Name = vm.Name, vm.Name
				ctx.Update(vm, []types.PropertyChange{newVersion(time.Now())})
			} else {
				h.tell(ctx, vm)
			}
		case "config.changeVersion":
			h.tell(ctx, vm)
		case "runtime.powerState":
			h.power(ctx, vm)
		case "guest.customizationInfo":
			if info := vm.Guest.CustomizationInfo; info != nil {
				ctx.Update(vm, []types.PropertyChange{
					{Name: "guest.customizationInfo.customizationStatus", Val: info.CustomizationStatus},
				})
			}
		}
	}
}

func (h *herald) tell(ctx *simulator.Context, vm *mo.VirtualMachine) {
	hardware := vm.Config.Hardware
	now := announced{vm.Config.Name, vm.Config.Annotation, hardware.NumCPU, hardware.MemoryMB}
	h.mu.Lock()
	before, known := h.told[vm.Self]
	h.told[vm.Self] = now
	h.mu.Unlock()

	var changes []types.PropertyChange
	add := func(changed bool, value types.AnyType, paths ...string) {
		for _, path := range paths {
			if changed || !known {
				changes = append(changes, types.PropertyChange{Name: path, Val: value})
			}
		}
	}
	add(now.name != before.name, now.name, "name", "config.name", "summary.config.name")
	add(now.annotation != before.annotation, now.annotation, "config.annotation", "summary.config.annotation")
	add(now.cpus != before.cpus, now.cpus, "config.hardware.numCPU", "summary.config.numCpu")
	add(now.memoryMB != before.memoryMB, now.memoryMB, "config.hardware.memoryMB", "summary.config.memorySizeMB")
	if len(changes) > 0 {
		ctx.Update(vm, changes)
	}
}

func (h *herald) power(ctx *simulator.Context, vm *mo.VirtualMachine) {
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		now := time.Now()
		ctx.Update(vm, []types.PropertyChange{
			{Name: "runtime.bootTime", Val: now},
			newVersion(now),
		})
	}
	h.guests.power(ctx, vm)
}

// newVersion is a change version as the simulator makes them.
func newVersion(now time.Time) types.PropertyChange {
	return types.PropertyChange{Name: "config.changeVersion", Val: strconv.FormatInt(now.UnixNano(), 10)}
}
