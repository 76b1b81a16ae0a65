package main

import (
	"errors"
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// Acts of other people in the vCenter. They go past the fault injector and the counters, which concern the program under test.

// ended waits for a task and answers its fault as an error.
func (e *estate) ended(ref types.ManagedObjectReference) error {
	task, ok := e.registry.Get(ref).(*simulator.Task)
	if !ok {
		return errors.New("no such task: " + ref.Value)
	}
	task.Wait()
	if fault := task.Info.Error; fault != nil {
		return fmt.Errorf("%T", fault.Fault)
	}
	return nil
}

func (e *estate) powerOff(vm *simulator.VirtualMachine) error {
	body := vm.PowerOffVMTask(e.context(), &types.PowerOffVM_Task{This: vm.Self})
	return e.ended(body.(*methods.PowerOffVM_TaskBody).Res.Returnval)
}

func (e *estate) powerOn(vm *simulator.VirtualMachine) error {
	body, ok := vm.PowerOnVMTask(e.context(), &types.PowerOnVM_Task{This: vm.Self}).(*methods.PowerOnVM_TaskBody)
	if !ok || body.Res == nil {
		return errors.New("it cannot be powered on")
	}
	return e.ended(body.Res.Returnval)
}

func (e *estate) rename(vm *simulator.VirtualMachine, name string) error {
	body := vm.RenameTask(e.context(), &types.Rename_Task{This: vm.Self, NewName: name})
	return e.ended(body.(*methods.Rename_TaskBody).Res.Returnval)
}

func (e *estate) annotate(vm *simulator.VirtualMachine, annotation string) error {
	body := vm.ReconfigVMTask(e.context(), &types.ReconfigVM_Task{
		This: vm.Self, Spec: types.VirtualMachineConfigSpec{Annotation: annotation},
	})
	return e.ended(body.(*methods.ReconfigVM_TaskBody).Res.Returnval)
}

// destroy removes a machine, switching it off first where it is on.
func (e *estate) destroy(vm *simulator.VirtualMachine) error {
	_ = e.powerOff(vm)
	body := vm.DestroyTask(e.context(), &types.Destroy_Task{This: vm.Self})
	return e.ended(body.(*methods.Destroy_TaskBody).Res.Returnval)
}

// connect sets the connection state, e.g. `disconnected` for a machine whose host is out of reach.
func (e *estate) connect(vm *simulator.VirtualMachine, state string) error {
	ctx := e.context()
	ctx.WithLock(vm, func() {
		ctx.Update(vm, []types.PropertyChange{
			{Name: "runtime.connectionState", Val: types.VirtualMachineConnectionState(state)},
			{Name: "summary.runtime.connectionState", Val: types.VirtualMachineConnectionState(state)},
		})
	})
	return nil
}

// guestShutdown is what a stand-in in a guest asks for.
func (e *estate) guestShutdown(ref types.ManagedObjectReference) {
	if vm, ok := e.registry.Get(ref).(*simulator.VirtualMachine); ok {
		ctx := e.context()
		ctx.WithLock(vm, func() { vm.ShutdownGuest(ctx, &types.ShutdownGuest{This: ref}) })
	}
}

// endSessions makes every client's next call fail with NotAuthenticated, as an idle timeout or a restart of vCenter does. A session's
// collectors go with it: nobody waits for updates any longer.
func (e *estate) endSessions() int {
	ctx := e.context()
	manager := e.registry.SessionManager()
	view, ok := ctx.Session.Get(manager.Self).(*simulator.SessionManager)
	if !ok {
		return 0
	}
	var ids []string
	for _, session := range view.SessionList {
		ids = append(ids, session.Key)
	}
	manager.TerminateSession(ctx, &types.TerminateSession{This: manager.Self, SessionId: ids})
	e.sight.cancel()
	return len(ids)
}
