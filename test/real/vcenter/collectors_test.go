package main

import (
	"testing"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/types"
)

func TestAnAnswerTellsAllThatChangedOnAMachineAtOnce(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	all, err := view.NewManager(s.client.Client).CreateContainerView(
		s.ctx, s.client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	s.ok(err)
	collector := property.DefaultCollector(s.client.Client)
	filter := new(property.WaitFilter).Add(all.Reference(), "VirtualMachine", []string{"config.annotation"}, all.TraversalSpec())
	_, err = collector.CreateFilter(s.ctx, filter.CreateFilter)
	s.ok(err)
	version := ""
	next := func(seconds int32) *types.UpdateSet {
		answer, err := collector.WaitForUpdates(s.ctx, version, &types.WaitOptions{MaxWaitSeconds: types.NewInt32(seconds)})
		s.ok(err)
		if answer != nil {
			version = answer.Version
		}
		return answer
	}
	for answer := next(0); answer != nil; answer = next(0) {
	}
	machine, err := s.server.estate.machine("a")
	s.ok(err)
	for _, annotation := range []string{"b", "c", "d"} {
		s.ok(s.server.estate.annotate(machine, annotation))
	}
	var last any
	told := 0
	for _, set := range next(20).FilterSet {
		for _, update := range set.ObjectSet {
			if update.Obj == vm.Reference() {
				told++
				last = update.ChangeSet[len(update.ChangeSet)-1].Val
			}
		}
	}
	if told != 1 || last != "d" {
		t.Fatalf("told %d times, last %v", told, last)
	}
}

func TestACollectorHearsNothingOfTheViewsOfOtherSessions(t *testing.T) {
	reference := func(kind, value string) types.ManagedObjectReference {
		return types.ManagedObjectReference{Type: kind, Value: value}
	}
	own, other, vm := reference("ContainerView", "own"), reference("ContainerView", "other"), reference("VirtualMachine", "vm")
	c := &calmCollector{
		PropertyCollector: new(simulator.PropertyCollector),
		roots:             map[types.ManagedObjectReference]bool{own: true},
		open:              make(map[types.ManagedObjectReference]int),
	}
	change := []types.PropertyChange{{Name: "name"}}
	for _, ref := range []types.ManagedObjectReference{other, own, reference("TaskManager", "TaskManager"), vm, own} {
		c.UpdateObject(nil, ref, change)
	}
	c.UpdateObject(nil, own, []types.PropertyChange{{Name: "view"}})
	c.RemoveObject(nil, vm)
	c.UpdateObject(nil, vm, change)
	want := []struct {
		ref     types.ManagedObjectReference
		kind    types.ObjectUpdateKind
		changes int
	}{
		{own, types.ObjectUpdateKindModify, 2},
		{vm, types.ObjectUpdateKindModify, 1},
		{vm, types.ObjectUpdateKindLeave, 0},
		{vm, types.ObjectUpdateKindModify, 1},
	}
	if len(c.heard) != len(want) {
		t.Fatalf("%+v", c.heard)
	}
	for i, w := range want {
		if heard := c.heard[i]; heard.Obj != w.ref || heard.Kind != w.kind || len(heard.ChangeSet) != w.changes {
			t.Errorf("%d: %+v", i, heard)
		}
	}
}
