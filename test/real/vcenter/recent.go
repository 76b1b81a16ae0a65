package main

import (
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// recent forgets a task some time after its end, as vCenter does after ten minutes: nobody's recent tasks name it any more, and it is gone. The
// simulator keeps the last 200 of each object for good, so that a template lists all its clones, and everybody who follows the recent
// tasks reads all of them at each change.
type recent struct {
	registry *simulator.Registry
	manager  types.ManagedObjectReference
	kept     time.Duration
}

func (r *recent) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "Recent", Value: "recent"}
}

func (r *recent) PutObject(*simulator.Context, mo.Reference) {}

func (r *recent) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

func (r *recent) UpdateObject(_ *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	task, ok := obj.(*mo.Task)
	if !ok || !slices.ContainsFunc(changes, ends) {
		return
	}
	ref, entity := task.Self, *task.Info.Entity
	time.AfterFunc(r.kept, func() { r.forget(ref, entity) })
}

func ends(change types.PropertyChange) bool {
	return change.Name == "info.state" &&
		(change.Val == types.TaskInfoStateSuccess || change.Val == types.TaskInfoStateError)
}

func (r *recent) forget(task, entity types.ManagedObjectReference) {
	ctx := &simulator.Context{Map: r.registry}
	drop := func(from mo.Reference, list []types.ManagedObjectReference) {
		left := slices.DeleteFunc(slices.Clone(list), func(ref types.ManagedObjectReference) bool { return ref == task })
		ctx.Update(from, []types.PropertyChange{{Name: "recentTask", Val: left}})
	}
	if on, ok := r.registry.Get(entity).(mo.Entity); ok {
		ctx.WithLock(on, func() { drop(on, on.Entity().RecentTask) })
	}
	manager := r.registry.Get(r.manager).(*simulator.TaskManager)
	ctx.WithLock(manager, func() { drop(manager, manager.RecentTask) })
	r.registry.Remove(ctx, task)
}
