package main

import (
	"errors"
	"reflect"
	"testing"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/types"
)

func TestCloneKeepsItsAnnotation(t *testing.T) {
	s := newStand(t, nil)
	vm, err := s.clone(clonePlan{name: "a", annotation: `{"hatchery_name":"h"}`, addresses: []string{""}})
	s.ok(err)
	if got := s.read(vm).Config.Annotation; got != `{"hatchery_name":"h"}` {
		t.Fatalf("annotation %q", got)
	}
}

func TestCloneWhoseCustomizationDoesNotMatchTheCardsFailsAndStays(t *testing.T) {
	s := newStand(t, nil)
	_, err := s.clone(clonePlan{name: "a", addresses: []string{"", ""}})
	if !fault.Is(err, new(types.NicSettingMismatch)) {
		t.Fatalf("%T %v", err, err)
	}
	_, err = s.finder.VirtualMachine(s.ctx, "a")
	s.ok(err)
}

func (s *stand) reconfigure(vm *object.VirtualMachine, spec types.VirtualMachineConfigSpec) error {
	task, err := vm.Reconfigure(s.ctx, spec)
	s.ok(err)
	return task.Wait(s.ctx)
}

func TestReconfigureWithAnOldChangeVersionFailsAsATask(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	version := s.read(vm).Config.ChangeVersion
	s.ok(s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "b", ChangeVersion: version}))
	err := s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "c", ChangeVersion: version})
	if !fault.Is(err, new(types.ConcurrentAccess)) {
		t.Fatalf("%T %v", err, err)
	}
	if got := s.read(vm).Config.Annotation; got != "b" {
		t.Fatalf("annotation %q", got)
	}
	s.ok(s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "d"}))
}

func TestOfManyReconfiguresWithOneChangeVersionOneWins(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	version := s.read(vm).Config.ChangeVersion
	results := make(chan error)
	for range 10 {
		go func() {
			task, err := vm.Reconfigure(s.ctx, types.VirtualMachineConfigSpec{Annotation: "b", ChangeVersion: version})
			if err == nil {
				err = task.Wait(s.ctx)
			}
			results <- err
		}()
	}
	won := 0
	for range 10 {
		if err := <-results; err == nil {
			won++
		} else if !fault.Is(err, new(types.ConcurrentAccess)) {
			t.Errorf("%T %v", err, err)
		}
	}
	if won != 1 {
		t.Fatalf("%d won", won)
	}
}

func TestARenameMovesTheChangeVersion(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	version := s.read(vm).Config.ChangeVersion
	s.ok(finished(vm.Rename(s.ctx, "b")))
	err := s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "c", ChangeVersion: version})
	if !fault.Is(err, new(types.ConcurrentAccess)) {
		t.Fatalf("%T %v", err, err)
	}
}

func TestPowerOnMovesTheChangeVersion(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.ok(finished(vm.PowerOff(s.ctx)))
	before := s.read(vm).Config.ChangeVersion
	s.ok(finished(vm.PowerOn(s.ctx)))
	if after := s.read(vm); after.Config.ChangeVersion == before || after.Runtime.BootTime == nil {
		t.Fatalf("change version %q, booted %v", after.Config.ChangeVersion, after.Runtime.BootTime)
	}
}

func TestSubscribersHearOfAReconfigureAndARename(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	paths := []string{"name", "config.name", "config.annotation", "config.hardware.numCPU", "config.hardware.memoryMB"}
	want := map[string]any{
		"name": "c", "config.name": "c", "config.annotation": "x",
		"config.hardware.numCPU": int32(4), "config.hardware.memoryMB": int32(4096),
	}
	got := map[string]any{}
	changed, done := false, make(chan error, 1)
	s.ok(property.Wait(s.ctx, property.DefaultCollector(s.client.Client), vm.Reference(), paths,
		func(changes []types.PropertyChange) bool {
			for _, change := range changes {
				got[change.Name] = change.Val
			}
			if !changed {
				changed = true
				go func() {
					task, err := vm.Reconfigure(s.ctx, types.VirtualMachineConfigSpec{
						Name: "b", Annotation: "x", NumCPUs: 4, MemoryMB: 4096,
					})
					done <- errors.Join(finished(task, err), finished(vm.Rename(s.ctx, "c")))
				}()
			}
			return reflect.DeepEqual(got, want)
		}))
	s.ok(<-done)
}
