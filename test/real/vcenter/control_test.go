package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
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

func TestALateFaultIsATaskThatRunsAWhileAndFailsWithNothingDone(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	template, err := s.finder.VirtualMachine(s.ctx, "debian12")
	s.ok(err)
	folder, err := s.finder.DefaultFolder(s.ctx)
	s.ok(err)
	before := s.read(vm)
	calls := map[string]func() (*object.Task, error){
		"CloneVM_Task": func() (*object.Task, error) {
			return template.Clone(s.ctx, folder, "b", types.VirtualMachineCloneSpec{})
		},
		"ReconfigVM_Task": func() (*object.Task, error) {
			return vm.Reconfigure(s.ctx, types.VirtualMachineConfigSpec{Annotation: "b"})
		},
		"PowerOnVM_Task":  func() (*object.Task, error) { return vm.PowerOn(s.ctx) },
		"PowerOffVM_Task": func() (*object.Task, error) { return vm.PowerOff(s.ctx) },
		"Destroy_Task":    func() (*object.Task, error) { return vm.Destroy(s.ctx) },
	}
	for _, method := range lateMethods {
		s.order("POST", "/faults", faultRule{Method: method, Fault: "TaskInProgress", LateMs: 100, Max: 1}, nil)
		task, err := calls[method]()
		s.ok(err)
		s.until(vm, "recentTask", func(v any) bool {
			return method == "CloneVM_Task" || slices.Contains(v.(types.ArrayOfManagedObjectReference).ManagedObjectReference, task.Reference())
		})
		var running mo.Task
		s.ok(property.DefaultCollector(s.client.Client).RetrieveOne(s.ctx, task.Reference(), []string{"info"}, &running))
		if running.Info.State != types.TaskInfoStateRunning {
			t.Errorf("%s: %s at once", method, running.Info.State)
		}
		if err := task.Wait(s.ctx); !fault.Is(err, new(types.TaskInProgress)) {
			t.Errorf("%s: %T %v", method, err, err)
		}
	}
	after := s.read(vm)
	if after.Config.ChangeVersion != before.Config.ChangeVersion || after.Runtime.PowerState != before.Runtime.PowerState {
		t.Errorf("%+v", after.Runtime)
	}
	var machines []seen
	s.order("GET", "/inventory", nil, &machines)
	var totals map[string]traffic
	s.order("GET", "/counters", nil, &totals)
	if got := totals["Destroy_Task"]; len(machines) != 2 || got.Count != 1 || got.Faults != 0 || got.Failed != 1 {
		t.Errorf("%d machines, %+v", len(machines), got)
	}
	s.ok(s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "b"}))
}

func TestAFaultThatDoesNotExistIsRefused(t *testing.T) {
	for _, rule := range []faultRule{
		{Fault: "NoSuchFault"},
		{Fault: "TaskInProgress", Where: []string{"power"}},
		{Fault: "TaskInProgress", Method: "ShutdownGuest", LateMs: 1},
	} {
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

func TestEndedSessionsAreNotAuthenticatedAndNobodyWaitsInThem(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	told, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- property.Wait(s.ctx, property.DefaultCollector(s.client.Client), vm.Reference(), []string{"name"},
			func([]types.PropertyChange) bool { close(told); return false })
	}()
	<-told
	s.order("DELETE", "/sessions", nil, nil)
	select {
	case err := <-ended:
		if err == nil {
			t.Fatal("it heard something more")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits on")
	}
	_, err := methods.GetCurrentTime(s.ctx, s.client.Client)
	if !fault.Is(err, new(types.NotAuthenticated)) {
		t.Fatalf("%T %v", err, err)
	}
	s.ok(s.client.Login(s.ctx, s.address("rookery@vsphere.local", "secret").User))
}

func TestMachinesThatMayNotBeReadLeaveTheViewsAndComeBack(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	container, err := view.NewManager(s.client.Client).CreateContainerView(
		s.ctx, s.client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	s.ok(err)
	filter := new(property.WaitFilter).Add(container.Reference(), "VirtualMachine", []string{"name"}, container.TraversalSpec())
	updates := make(chan types.ObjectUpdate)
	go func() {
		_ = property.WaitForUpdates(s.ctx, property.DefaultCollector(s.client.Client), filter, func(told []types.ObjectUpdate) bool {
			for _, update := range told {
				updates <- update
			}
			return false
		})
	}()
	hear := func(kind types.ObjectUpdateKind, count int) {
		t.Helper()
		for range count {
			select {
			case update := <-updates:
				if update.Kind != kind {
					t.Fatalf("%+v", update)
				}
			case <-s.ctx.Done():
				t.Fatalf("no %s", kind)
			}
		}
	}
	listed := func() int {
		fresh, err := view.NewManager(s.client.Client).CreateContainerView(
			s.ctx, s.client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
		s.ok(err)
		var machines []mo.VirtualMachine
		s.ok(fresh.Retrieve(s.ctx, []string{"VirtualMachine"}, []string{"name"}, &machines))
		return len(machines)
	}
	hear(types.ObjectUpdateKindEnter, 2)

	s.order("POST", "/privileges", []string{readPrivilege}, nil)
	hear(types.ObjectUpdateKindLeave, 2)
	if count := listed(); count != 0 {
		t.Errorf("%d listed", count)
	}
	var machine mo.VirtualMachine
	if err := vm.Properties(s.ctx, vm.Reference(), []string{"name"}, &machine); !fault.Is(err, new(types.NoPermission)) {
		t.Errorf("%T %v", err, err)
	}
	if _, err := vm.PowerOff(s.ctx); !fault.Is(err, new(types.NoPermission)) {
		t.Errorf("%T %v", err, err)
	}
	if count := len(s.server.estate.inventory()); count != 2 {
		t.Errorf("%d are there", count)
	}

	s.order("POST", "/privileges", []string{}, nil)
	hear(types.ObjectUpdateKindEnter, 2)
	if count := listed(); count != 2 {
		t.Errorf("%d listed again", count)
	}
	s.ok(vm.Properties(s.ctx, vm.Reference(), []string{"name"}, &machine))
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

func TestTheControlPortDoesNothingWithoutItsKeyAndNothingForAWebPage(t *testing.T) {
	s := newStand(t, nil)
	control := s.server.ready().Control
	origin := strings.TrimSuffix(control, "/"+s.server.key)
	ask := func(base string, change func(*http.Request)) int {
		request, err := http.NewRequestWithContext(s.ctx, "POST", base+"/foreign", strings.NewReader("1"))
		s.ok(err)
		change(request)
		response, err := http.DefaultClient.Do(request)
		s.ok(err)
		_ = response.Body.Close()
		return response.StatusCode
	}
	plain := func(*http.Request) {}
	page := func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }
	rebound := func(r *http.Request) { r.Host = "rebound.example" }
	for _, got := range []struct{ status, wanted int }{
		{ask(origin, plain), http.StatusNotFound},
		{ask(origin+"/00000000-0000-4000-8000-000000000000", plain), http.StatusNotFound},
		{ask(control, page), http.StatusForbidden},
		{ask(control, rebound), http.StatusForbidden},
	} {
		if got.status != got.wanted {
			t.Errorf("%d, wanted %d", got.status, got.wanted)
		}
	}
	if count := len(s.server.estate.inventory()); count != 1 {
		t.Errorf("%d machines", count)
	}
	if status := ask(control, plain); status != http.StatusOK || len(s.server.estate.inventory()) != 2 {
		t.Errorf("%d with the key", status)
	}
}

func TestTheControlPortListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "[::]:0", "localhost:0", "127.0.0.1"} {
		if _, err := parseOptions([]string{"-control", address}); err == nil {
			t.Errorf("%s accepted", address)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:8080"} {
		if _, err := parseOptions([]string{"-control", address}); err != nil {
			t.Error(err)
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
