package main

import (
	"time"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// awake is what a guest that has booted reports: one list of addresses for each card.
func awake(vm *mo.VirtualMachine, addresses [][]string) []types.PropertyChange {
	first := ""
	nets := make([]types.GuestNicInfo, len(vm.Guest.Net))
	for i, net := range vm.Guest.Net {
		net.IpAddress = addresses[i]
		net.Connected = true
		net.IpConfig = new(types.NetIpConfigInfo)
		for _, address := range addresses[i] {
			net.IpConfig.IpAddress = append(net.IpConfig.IpAddress, types.NetIpConfigInfoIpAddress{
				IpAddress: address, PrefixLength: 24, State: "preferred",
			})
		}
		if first == "" && len(addresses[i]) > 0 {
			first = addresses[i][0]
		}
		nets[i] = net
	}
	return []types.PropertyChange{
		{Name: "guest.toolsStatus", Val: types.VirtualMachineToolsStatusToolsOk},
		{Name: "guest.toolsRunningStatus", Val: toolsRunning},
		{Name: "guest.guestState", Val: string(types.VirtualMachineGuestStateRunning)},
		{Name: "guest.net", Val: nets},
		{Name: "guest.ipAddress", Val: first},
		{Name: "summary.guest.toolsRunningStatus", Val: toolsRunning},
		{Name: "summary.guest.ipAddress", Val: first},
		{Name: "guest.guestOperationsReady", Val: true},
	}
}

// customized is the end of a customization; without a spec it failed.
func customized(vm *mo.VirtualMachine, spec *types.CustomizationSpec) []types.PropertyChange {
	now := time.Now()
	info := &types.GuestInfoCustomizationInfo{CustomizationStatus: customizationFailed, EndTime: &now, ErrorMsg: "simulated"}
	if before := vm.Guest.CustomizationInfo; before != nil {
		info.StartTime = before.StartTime
	}
	changes := []types.PropertyChange{{Name: "guest.customizationInfo", Val: info}}
	if spec == nil {
		return changes
	}
	info.CustomizationStatus, info.ErrorMsg = customizationSucceeded, ""
	name := hostName(vm.Name, spec)
	return append(changes,
		types.PropertyChange{Name: "guest.hostName", Val: name},
		types.PropertyChange{Name: "summary.guest.hostName", Val: name})
}

// hostName is the fixed name of the spec, else the machine's name at its first boot.
func hostName(machine string, spec *types.CustomizationSpec) string {
	if prep, ok := spec.Identity.(*types.CustomizationLinuxPrep); ok {
		if fixed, ok := prep.HostName.(*types.CustomizationFixedName); ok {
			return fixed.Name
		}
	}
	return machine
}

// asleep is what vCenter shows of a guest whose machine is off.
func asleep(vm *mo.VirtualMachine) []types.PropertyChange {
	nets := make([]types.GuestNicInfo, len(vm.Guest.Net))
	for i, net := range vm.Guest.Net {
		net.IpAddress, net.IpConfig, net.Connected = nil, nil, false
		nets[i] = net
	}
	return []types.PropertyChange{
		{Name: "guest.guestOperationsReady", Val: false},
		{Name: "guest.toolsStatus", Val: types.VirtualMachineToolsStatusToolsNotRunning},
		{Name: "guest.toolsRunningStatus", Val: toolsNotRunning},
		{Name: "guest.guestState", Val: string(types.VirtualMachineGuestStateNotRunning)},
		{Name: "guest.net", Val: nets},
		{Name: "guest.ipAddress", Val: ""},
		{Name: "summary.guest.toolsRunningStatus", Val: toolsNotRunning},
		{Name: "summary.guest.ipAddress", Val: ""},
		{Name: "runtime.bootTime", Val: nil},
	}
}
