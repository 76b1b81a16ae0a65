package main

import (
	"slices"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// machine is a VirtualMachine that does what the simulator leaves out of a real one. It is the simulator's own object, with the
// same lock and the same name; only the methods below are answered differently.
type machine struct {
	*simulator.VirtualMachine
	guests *guests
}

var machineMethods = []string{"CloneVM_Task", "ReconfigVM_Task", "ShutdownGuest"}

// Reference is the key under which a session finds the machine with these methods; what clients see stays the simulator's.
func (m *machine) Reference() types.ManagedObjectReference {
	ref := m.Self
	ref.Value += "#machine"
	return ref
}

// redirect sends the calls of machineMethods to a machine in place of the simulator's object. The simulator looks the object of a
// call up in the caller's session first, so that is where it is put.
func redirect(ctx *simulator.Context, method *simulator.Method, guests *guests) {
	if ctx.Session == nil || !slices.Contains(machineMethods, method.Name) {
		return
	}
	vm, ok := ctx.Map.Get(method.This).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	m := &machine{vm, guests}
	ctx.WithLock(vm, func() {
		if ctx.Session.Registry.Get(m.Reference()) == nil {
			ctx.Session.Registry.Put(m)
		}
	})
	method.This = m.Reference()
}

// CloneVMTask keeps the annotation of the clone, which the simulator drops (it applies extra configuration keys, though), and holds
// the customization back for the guest to apply while it boots, where the simulator applies it before the power-on has ended. A
// customization that does not match the network cards stays with the simulator, which refuses it and leaves the new machine behind.
func (m *machine) CloneVMTask(ctx *simulator.Context, req *types.CloneVM_Task) soap.HasFault {
	if req.Spec.Config == nil {
		req.Spec.Config = new(types.VirtualMachineConfigSpec)
	}
	config := req.Spec.Config
	set := func(key string, value types.AnyType) {
		config.ExtraConfig = append(config.ExtraConfig, &types.OptionValue{Key: key, Value: value})
	}
	if config.Annotation != "" {
		set("SET.config.annotation", config.Annotation)
	}
	spec := req.Spec.Customization
	if spec != nil && len(spec.NicSettingMap) == m.cardsOfClone(&req.Spec) {
		id := uuid.New().String()
		m.guests.keep(id, spec)
		set(customizationKey, id)
		set("SET.guest.customizationInfo", &types.GuestInfoCustomizationInfo{CustomizationStatus: customizationPending})
		req.Spec.Customization = nil
	}
	return m.VirtualMachine.CloneVMTask(ctx, req)
}

// cardsOfClone counts the network cards that a clone by this spec has.
func (m *machine) cardsOfClone(spec *types.VirtualMachineCloneSpec) int {
	count := len(cards(m.Config.Hardware.Device))
	for _, change := range slices.Concat(spec.Location.DeviceChange, spec.Config.DeviceChange) {
		change := change.GetVirtualDeviceConfigSpec()
		if _, ok := change.Device.(types.BaseVirtualEthernetCard); !ok {
			continue
		}
		switch change.Operation {
		case types.VirtualDeviceConfigSpecOperationAdd:
			count++
		case types.VirtualDeviceConfigSpecOperationRemove:
			count--
		}
	}
	return count
}

func cards(devices []types.BaseVirtualDevice) object.VirtualDeviceList {
	return object.VirtualDeviceList(devices).SelectByType((*types.VirtualEthernetCard)(nil))
}

// ReconfigVMTask refuses a change version that is not the current one. As in vCenter the call answers a task, and the task fails
// with ConcurrentAccess ("concurrent modification by another operation"). The lock is held from the comparison to the end of the
// simulator's task, so that of two calls with the same version one wins.
func (m *machine) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	version := req.Spec.ChangeVersion
	if version != "" && version != m.Config.ChangeVersion {
		return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{
			Returnval: failingTask(ctx, m.VirtualMachine, "reconfigVm", new(types.ConcurrentAccess)),
		}}
	}
	return m.VirtualMachine.ReconfigVMTask(ctx, req)
}

func failingTask(ctx *simulator.Context, on mo.Reference, name string, fault types.BaseMethodFault) types.ManagedObjectReference {
	return simulator.CreateTask(on, name, func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		return nil, fault
	}).Run(ctx)
}

// ShutdownGuest needs Tools that run, and a guest may not obey.
func (m *machine) ShutdownGuest(ctx *simulator.Context, req *types.ShutdownGuest) soap.HasFault {
	if m.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		if m.Guest.ToolsRunningStatus != toolsRunning {
			return &methods.ShutdownGuestBody{Fault_: simulator.Fault("", new(types.ToolsUnavailable))}
		}
		if m.guests.habit(m.Name).IgnoresShutdown {
			return &methods.ShutdownGuestBody{Res: new(types.ShutdownGuestResponse)}
		}
	}
	return m.VirtualMachine.ShutdownGuest(ctx, req)
}
