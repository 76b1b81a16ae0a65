package main

import (
	"slices"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func TestATaskIsForgottenSomeTimeAfterItsEndAndASubscriberHearsIt(t *testing.T) {
	s := newStand(t, func(o *options) { o.tasksKept = 300 * time.Millisecond })
	vm := s.hatch("a")
	task, err := vm.PowerOff(s.ctx)
	s.ok(err)
	names := func(v any) bool {
		return slices.Contains(v.(types.ArrayOfManagedObjectReference).ManagedObjectReference, task.Reference())
	}
	s.until(vm, "recentTask", names)
	s.ok(task.Wait(s.ctx))
	s.until(vm, "recentTask", func(v any) bool { return !names(v) })

	for end := time.Now().Add(5 * time.Second); ; {
		var found mo.Task
		err = property.DefaultCollector(s.client.Client).RetrieveOne(s.ctx, task.Reference(), []string{"info"}, &found)
		if err != nil || time.Now().After(end) {
			break
		}
	}
	if !fault.Is(err, new(types.ManagedObjectNotFound)) {
		t.Fatalf("%T %v", err, err)
	}
	var manager mo.TaskManager
	s.ok(property.DefaultCollector(s.client.Client).RetrieveOne(
		s.ctx, *s.client.ServiceContent.TaskManager, []string{"recentTask"}, &manager))
	if slices.Contains(manager.RecentTask, task.Reference()) {
		t.Fatal("the task manager still lists it")
	}
}
