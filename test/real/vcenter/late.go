package main

import (
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// lateMethods are those whose task can be made to fail late.
var lateMethods = []string{"CloneVM_Task", "ReconfigVM_Task", "PowerOnVM_Task", "PowerOffVM_Task", "Destroy_Task"}

// lateFaults decides which calls are accepted and fail late: an injector of its own, whose rules' delay is the task's.
type lateFaults struct {
	*simulator.FaultInjector

	mu    sync.Mutex
	calls map[string]int
}

func newLateFaults() *lateFaults {
	return &lateFaults{FaultInjector: simulator.NewFaultInjector(), calls: make(map[string]int)}
}

func (l *lateFaults) failed() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls)
}

func (l *lateFaults) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.calls)
}

// take sends a call that a rule matches to a doomed machine in place of the simulator's object, the way redirect does.
func (l *lateFaults) take(ctx *simulator.Context, method *simulator.Method) bool {
	vm, ok := ctx.Map.Get(method.This).(*simulator.VirtualMachine)
	if !ok || ctx.Session == nil {
		return false
	}
	rule := l.ShouldInjectFault(method, vm)
	if rule == nil {
		return false
	}
	l.mu.Lock()
	l.calls[method.Name]++
	l.mu.Unlock()
	d := &doomed{
		self:  types.ManagedObjectReference{Type: "VirtualMachine", Value: vm.Self.Value + "#doomed-" + uuid.NewString()},
		vm:    vm,
		fault: types.LocalizedMethodFault{Fault: rule.Fault, LocalizedMessage: rule.Message},
		after: time.Duration(rule.Delay) * time.Millisecond,
	}
	ctx.Session.Registry.Put(d)
	method.This = d.self
	return true
}

// doomed is a machine all of whose tasks fail after a while. No lock of the machine is held meanwhile, so that it can be read.
type doomed struct {
	self  types.ManagedObjectReference
	vm    *simulator.VirtualMachine
	fault types.LocalizedMethodFault
	after time.Duration
}

func (d *doomed) Reference() types.ManagedObjectReference { return d.self }

func (d *doomed) task(ctx *simulator.Context, name string) types.ManagedObjectReference {
	task := simulator.CreateTask(d.vm, name, nil)
	task.Self = types.ManagedObjectReference{Type: "Task", Value: "task-" + uuid.NewString()}
	task.Info.Key, task.Info.Task = task.Self.Value, task.Self
	task.Info.State = types.TaskInfoStateRunning
	task.Info.StartTime = types.NewTime(time.Now())
	ctx.Map.Put(task)
	registry := ctx.Map
	time.AfterFunc(d.after, func() {
		registry.AtomicUpdate(&simulator.Context{Map: registry}, task, []types.PropertyChange{
			{Name: "info.completeTime", Val: time.Now()},
			{Name: "info.state", Val: types.TaskInfoStateError},
			{Name: "info.error", Val: d.fault},
		})
	})
	return task.Self
}

func (d *doomed) CloneVMTask(ctx *simulator.Context, _ *types.CloneVM_Task) soap.HasFault {
	return &methods.CloneVM_TaskBody{Res: &types.CloneVM_TaskResponse{Returnval: d.task(ctx, "cloneVm")}}
}

func (d *doomed) ReconfigVMTask(ctx *simulator.Context, _ *types.ReconfigVM_Task) soap.HasFault {
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: d.task(ctx, "reconfigVm")}}
}

func (d *doomed) PowerOnVMTask(ctx *simulator.Context, _ *types.PowerOnVM_Task) soap.HasFault {
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: d.task(ctx, "powerOnVm")}}
}

func (d *doomed) PowerOffVMTask(ctx *simulator.Context, _ *types.PowerOffVM_Task) soap.HasFault {
	return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: d.task(ctx, "powerOffVm")}}
}

func (d *doomed) DestroyTask(ctx *simulator.Context, _ *types.Destroy_Task) soap.HasFault {
	return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: d.task(ctx, "destroy")}}
}
