package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func TestInjectedFaultAppliesAsOftenAsAsked(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.order("POST", "/faults", faultRule{
		Method: "PowerOffVM_Task", ObjectName: "a", Fault: "TaskInProgress", Max: 1,
		Where: []string{"runtime.powerState == poweredOn"},
	}, nil)
	if _, err := vm.PowerOff(s.ctx); !fault.Is(err, new(types.TaskInProgress)) {
		t.Fatalf("%T %v", err, err)
	}
	s.ok(finished(vm.PowerOff(s.ctx)))
	var stats map[string]any
	s.order("GET", "/faults", nil, &stats)
	if stats["total_injections"] != 1.0 {
		t.Fatalf("%v", stats)
	}
}

func TestInjectedFaultsReachTheMethodsOfOurOwn(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.order("POST", "/faults", faultRule{
		Method: "ReconfigVM_Task", ObjectType: "VirtualMachine", ObjectName: "a", Fault: "ResourceInUse",
	}, nil)
	_, err := vm.Reconfigure(s.ctx, types.VirtualMachineConfigSpec{Annotation: "b"})
	if !fault.Is(err, new(types.ResourceInUse)) {
		t.Fatalf("%T %v", err, err)
	}
	s.order("DELETE", "/faults", nil, nil)
	s.ok(s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "b"}))
}

func TestAFaultThatDoesNotExistIsRefused(t *testing.T) {
	for _, rule := range []faultRule{{Fault: "NoSuchFault"}, {Fault: "TaskInProgress", Where: []string{"power"}}} {
		if _, err := rule.rule(); err == nil {
			t.Errorf("%+v accepted", rule)
		}
	}
}

func TestALostAnswerIsLostAfterTheWorkAndALostRequestBefore(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.order("POST", "/losses", loss{Method: "ReconfigVM_Task", Containing: "kept"}, nil)
	s.order("POST", "/losses", loss{Method: "ReconfigVM_Task", Containing: "dropped", Before: true}, nil)
	for _, annotation := range []string{"kept", "dropped"} {
		if _, err := vm.Reconfigure(s.ctx, types.VirtualMachineConfigSpec{Annotation: annotation}); err == nil || soap.IsSoapFault(err) {
			t.Fatalf("%s: %v", annotation, err)
		}
	}
	s.until(vm, "config.annotation", func(v any) bool { return v == "kept" })
	s.ok(s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "kept again"}))
}

func TestADelayedMethodWaits(t *testing.T) {
	s := newStand(t, nil)
	s.order("POST", "/delays", map[string]int{"CurrentTime": 60_000}, nil)
	done := make(chan struct{})
	go func() {
		_, _ = methods.GetCurrentTime(s.ctx, s.client.Client)
		close(done)
	}()
	select {
	case <-done:
		t.Fatal("it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
}

func TestCountersCountCallsFaultsAndBytes(t *testing.T) {
	s := newStand(t, nil)
	s.order("DELETE", "/counters", nil, nil)
	for range 3 {
		_, err := methods.GetCurrentTime(s.ctx, s.client.Client)
		s.ok(err)
	}
	_, _ = methods.Login(s.ctx, s.client.Client, &types.Login{This: *s.client.ServiceContent.SessionManager})
	var totals map[string]traffic
	s.order("GET", "/counters", nil, &totals)
	if got := totals["CurrentTime"]; got.Count != 3 || got.Faults != 0 || got.BytesIn < 300 || got.BytesOut < 300 {
		t.Errorf("%+v", got)
	}
	if got := totals["Login"]; got.Count != 1 || got.Faults != 1 {
		t.Errorf("%+v", got)
	}
}

func TestEndedSessionsAreNotAuthenticated(t *testing.T) {
	s := newStand(t, nil)
	s.order("DELETE", "/sessions", nil, nil)
	_, err := methods.GetCurrentTime(s.ctx, s.client.Client)
	if !fault.Is(err, new(types.NotAuthenticated)) {
		t.Fatalf("%T %v", err, err)
	}
	s.ok(s.client.Login(s.ctx, s.address("rookery@vsphere.local", "secret").User))
}

func TestOtherPeopleActAndTheInventoryShowsIt(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.untilReady(vm)
	s.order("POST", "/rename", order{Name: "a", To: "b"}, nil)
	s.order("POST", "/annotate", order{Name: "b", Annotation: "mine"}, nil)
	s.order("POST", "/connection", order{Name: vm.Reference().Value, State: "disconnected"}, nil)
	find := func(name string) *seen {
		var machines []seen
		s.order("GET", "/inventory", nil, &machines)
		for i := range machines {
			if machines[i].Name == name {
				return &machines[i]
			}
		}
		return nil
	}
	got := find("b")
	if got == nil || got.Annotation != "mine" || got.Connection != "disconnected" || got.Power != "poweredOn" ||
		got.IP != "10.0.0.5" || !got.Ready || got.UUID != s.read(vm).Config.InstanceUuid {
		t.Fatalf("%+v", got)
	}
	s.order("POST", "/poweroff", order{Name: "b"}, nil)
	if got := find("b"); got.Power != "poweredOff" || got.IP != "" {
		t.Fatalf("%+v", got)
	}
	s.order("POST", "/poweron", order{Name: "b"}, nil)
	s.untilReady(vm)
	s.order("POST", "/destroy", order{Name: "b"}, nil)
	if find("b") != nil {
		t.Fatal("still there")
	}
}

func TestBadOrdersAreRefused(t *testing.T) {
	s := newStand(t, nil)
	for _, body := range []string{`{"name":"nobody"}`, `{`, `[]`} {
		response, err := http.Post(s.server.ready().Control+"/destroy", "application/json", strings.NewReader(body))
		s.ok(err)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", body, response.Status)
		}
	}
}

func TestShutdownEndsTheServer(t *testing.T) {
	s := newStand(t, nil)
	s.order("POST", "/shutdown", nil, nil)
	select {
	case <-s.server.done:
	case <-s.ctx.Done():
		t.Fatal("it goes on")
	}
}
