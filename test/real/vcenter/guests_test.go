package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

func TestGuestBootsWithTheAddressOfEachCard(t *testing.T) {
	s := newStand(t, func(o *options) { o.templates = templateList{{"debian12", 2, 2048, 2}} })
	s.order("POST", "/habits", Habit{Match: "slow", BootMs: new(int)}, nil)
	vm, err := s.clone(clonePlan{name: "a", addresses: []string{"10.0.0.5", ""}})
	s.ok(err)
	s.untilReady(vm)
	seen := s.read(vm)
	if got := seen.Guest.Net[0].IpAddress; !reflect.DeepEqual(got, []string{"10.0.0.5"}) {
		t.Errorf("first card %v", got)
	}
	if got := seen.Guest.Net[1].IpAddress; !reflect.DeepEqual(got, []string{"192.168.77.10"}) {
		t.Errorf("second card %v", got)
	}
	if seen.Guest.IpAddress != "10.0.0.5" || seen.Guest.HostName != "a" || seen.Guest.ToolsRunningStatus != toolsRunning {
		t.Errorf("guest %+v", seen.Guest)
	}
	if got := seen.Guest.CustomizationInfo.CustomizationStatus; got != customizationSucceeded {
		t.Errorf("customization %s", got)
	}
}

func TestGuestIsNotReadyBeforeItHasBooted(t *testing.T) {
	s := newStand(t, nil)
	s.order("POST", "/habits", Habit{Match: "a", NeverReady: true}, nil)
	guest := s.read(s.hatch("a")).Guest
	if guest.IpAddress != "" || guest.GuestOperationsReady != nil && *guest.GuestOperationsReady {
		t.Fatalf("guest %+v", guest)
	}
	if got := guest.CustomizationInfo.CustomizationStatus; got != customizationRunning {
		t.Fatalf("customization %s", got)
	}
}

func TestSubscribersToTheStatusAloneHearOfACustomization(t *testing.T) {
	s := newStand(t, func(o *options) { o.boot = 200 * time.Millisecond })
	vm := s.hatch("a")
	var heard []any
	s.until(vm, "guest.customizationInfo.customizationStatus", func(v any) bool {
		heard = append(heard, v)
		return v == customizationSucceeded
	})
	if !reflect.DeepEqual(heard, []any{customizationRunning, customizationSucceeded}) {
		t.Fatalf("%v", heard)
	}
}

func TestPowerOffClearsTheGuestAndPowerOnBringsItsAddressBack(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.untilReady(vm)
	s.ok(finished(vm.PowerOff(s.ctx)))
	if guest := s.read(vm).Guest; guest.IpAddress != "" || *guest.GuestOperationsReady || guest.Net[0].IpAddress != nil {
		t.Fatalf("guest %+v", guest)
	}
	s.ok(finished(vm.PowerOn(s.ctx)))
	s.until(vm, "guest.ipAddress", func(v any) bool { return v == "10.0.0.5" })
}

func TestHabitsShapeAGuest(t *testing.T) {
	s := newStand(t, nil)
	s.order("POST", "/habits", Habit{Match: "bad-*", CustomizationFails: true, Address: "172.17.0.1", IgnoresShutdown: true}, nil)
	vm := s.hatch("bad-1")
	s.untilReady(vm)
	guest := s.read(vm).Guest
	if guest.CustomizationInfo.CustomizationStatus != customizationFailed || guest.IpAddress != "172.17.0.1" {
		t.Errorf("guest %+v", guest)
	}
	s.ok(vm.ShutdownGuest(s.ctx))
	if got := s.read(vm).Runtime.PowerState; got != types.VirtualMachinePowerStatePoweredOn {
		t.Errorf("power %s", got)
	}
}

func TestShutdownGuestNeedsTools(t *testing.T) {
	s := newStand(t, nil)
	s.order("POST", "/habits", Habit{Match: "a", NeverReady: true}, nil)
	vm := s.hatch("a")
	_, err := methods.ShutdownGuest(s.ctx, s.client.Client, &types.ShutdownGuest{This: vm.Reference()})
	if !fault.Is(err, new(types.ToolsUnavailable)) {
		t.Fatalf("%T %v", err, err)
	}
}

func TestLeaseIsKeptUntilItIsReleased(t *testing.T) {
	l, err := newLeases("10.0.0.1-10.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{l.lease("a", 0), l.lease("b", 0), l.lease("a", 0), l.lease("c", 0)}
	l.release("b")
	got = append(got, l.lease("c", 0))
	want := []string{"10.0.0.1", "10.0.0.2", "10.0.0.1", "169.254.1.1", "10.0.0.2"}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v", got)
	}
}
