package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// addForeign puts running machines of somebody else into the registry. They are copies of one that is made the long way, because a
// thousand clones take half a minute.
func (e *estate) addForeign(count int) error {
	if count <= 0 {
		return nil
	}
	prototype, err := e.addMachine(context.Background(), template{"foreign-prototype-" + uuid.NewString(), 2, 4096, 1}, false)
	if err != nil {
		return err
	}
	original := e.registry.Get(prototype.Reference()).(*simulator.VirtualMachine)
	ctx := e.context()
	folder := e.registry.Get(e.folder.Reference()).(*simulator.Folder)
	host := e.registry.Get(*original.Runtime.Host).(*simulator.HostSystem)
	pool := e.registry.Get(e.pool.Reference()).(*simulator.ResourcePool)
	first := len(folder.ChildEntity)
	for i := range count {
		vm := foreignMachine(original, fmt.Sprintf("foreign-%05d", first+i), first+i)
		e.registry.NewEntity(vm)
		// The folder first: a view takes a new machine in only if it finds it there.
		ctx.Map.AppendReference(ctx, folder, &folder.ChildEntity, vm.Self)
		e.registry.Put(vm)
		ctx.Map.AppendReference(ctx, host, &host.Vm, vm.Self)
		ctx.Map.AppendReference(ctx, pool, &pool.Vm, vm.Self)
	}
	return finished(prototype.Destroy(context.Background()))
}

// foreignMachine copies what differs between machines and shares the rest, which nothing changes in place.
func foreignMachine(original *simulator.VirtualMachine, name string, number int) *simulator.VirtualMachine {
	vm := &simulator.VirtualMachine{VirtualMachine: original.VirtualMachine}
	vm.Name = name
	vm.RecentTask = nil
	config, guest, summary := *original.Config, *original.Guest, *original.Summary.Guest
	config.Name, config.Uuid, config.InstanceUuid = name, uuid.NewString(), uuid.NewString()
	config.Annotation = "owner: another team"
	vm.Config, vm.Guest, vm.Summary.Guest = &config, &guest, &summary
	vm.Summary.Config.Name, vm.Summary.Config.Annotation = name, config.Annotation
	vm.Summary.Config.Uuid, vm.Summary.Config.InstanceUuid = config.Uuid, config.InstanceUuid

	now := time.Now()
	vm.Runtime.PowerState, vm.Runtime.BootTime = types.VirtualMachinePowerStatePoweredOn, &now
	vm.Summary.Runtime = vm.Runtime
	address := fmt.Sprintf("10.%d.%d.%d", 100+number/64516, number/254%254, 1+number%254)
	ready := true
	guest.GuestOperationsReady, guest.ToolsRunningStatus, guest.IpAddress = &ready, toolsRunning, address
	guest.Net = append([]types.GuestNicInfo{}, original.Guest.Net...)
	guest.Net[0].IpAddress = []string{address}
	summary.ToolsRunningStatus, summary.IpAddress = toolsRunning, address
	return vm
}
