package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// seen is a machine as a judge sees it, read from the registry without SOAP.
type seen struct {
	Ref           string     `json:"ref"`
	Name          string     `json:"name"`
	UUID          string     `json:"uuid"`
	Annotation    string     `json:"annotation"`
	Power         string     `json:"power"`
	Connection    string     `json:"connection"`
	Template      bool       `json:"template"`
	IP            string     `json:"ip"`
	Addresses     [][]string `json:"addresses"`
	Ready         bool       `json:"ready"`
	Customization string     `json:"customization"`
	CPUs          int32      `json:"cpus"`
	MemoryMB      int32      `json:"memory_mb"`
	// DiskGB is the size of the first disk.
	DiskGB        int64  `json:"disk_gb"`
	ChangeVersion string `json:"change_version"`
	Processes     int    `json:"processes"`
}

func (e *estate) inventory() []seen {
	machines := []seen{}
	ctx := e.context()
	for _, entity := range e.registry.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		ctx.WithLock(vm, func() { machines = append(machines, look(vm)) })
	}
	for i := range machines {
		machines[i].Processes = e.guests.programs.running(machines[i].Ref)
	}
	return machines
}

func look(vm *simulator.VirtualMachine) seen {
	s := seen{
		Ref:           vm.Self.Value,
		Name:          vm.Name,
		UUID:          vm.Config.InstanceUuid,
		Annotation:    vm.Config.Annotation,
		Power:         string(vm.Runtime.PowerState),
		Connection:    string(vm.Runtime.ConnectionState),
		Template:      vm.Config.Template,
		IP:            vm.Guest.IpAddress,
		Addresses:     make([][]string, len(vm.Guest.Net)),
		Ready:         vm.Guest.GuestOperationsReady != nil && *vm.Guest.GuestOperationsReady,
		CPUs:          vm.Config.Hardware.NumCPU,
		MemoryMB:      vm.Config.Hardware.MemoryMB,
		ChangeVersion: vm.Config.ChangeVersion,
	}
	for i, net := range vm.Guest.Net {
		s.Addresses[i] = append([]string{}, net.IpAddress...)
	}
	for _, device := range vm.Config.Hardware.Device {
		if disk, ok := device.(*types.VirtualDisk); ok {
			s.DiskGB = disk.CapacityInKB >> 20
			break
		}
	}
	if info := vm.Guest.CustomizationInfo; info != nil {
		s.Customization = info.CustomizationStatus
	}
	return s
}
