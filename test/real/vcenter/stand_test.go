package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/guest"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// The test binary is its own guest-init, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guestInit {
		runGuestInit()
		return
	}
	os.Exit(m.Run())
}

// stand is a running server and govmomi's own client, logged in.
type stand struct {
	*testing.T
	server *server
	client *govmomi.Client
	finder *find.Finder
	ctx    context.Context
}

func newStand(t *testing.T, change func(*options)) *stand {
	t.Helper()
	o := defaults()
	o.boot = 20 * time.Millisecond
	_ = o.templates.Set("debian12,2,2048,1")
	if change != nil {
		change(&o)
	}
	server, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.close)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	s := &stand{T: t, server: server, ctx: ctx}
	s.client, err = govmomi.NewClient(ctx, s.address(o.user, o.password), true)
	s.ok(err)
	s.finder = find.NewFinder(s.client.Client, false)
	datacenter, err := s.finder.DefaultDatacenter(ctx)
	s.ok(err)
	s.finder.SetDatacenter(datacenter)
	return s
}

func (s *stand) address(user, password string) *url.URL {
	address, err := url.Parse(s.server.ready().URL)
	s.ok(err)
	address.User = url.UserPassword(user, password)
	return address
}

func (s *stand) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// order sends a request to the control port and decodes the answer into result, where given.
func (s *stand) order(method, path string, body, result any) {
	s.Helper()
	text, err := json.Marshal(body)
	s.ok(err)
	request, err := http.NewRequestWithContext(s.ctx, method, s.server.ready().Control+path, bytes.NewReader(text))
	s.ok(err)
	response, err := http.DefaultClient.Do(request)
	s.ok(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.Fatalf("%s %s: %s", method, path, response.Status)
	}
	if result != nil {
		s.ok(json.NewDecoder(response.Body).Decode(result))
	}
}

// clonePlan is a clone as the hatchery makes it: annotated, customized, powered on.
type clonePlan struct {
	name, annotation string
	addresses        []string
}

func (s *stand) clone(plan clonePlan) (*object.VirtualMachine, error) {
	s.Helper()
	template, err := s.finder.VirtualMachine(s.ctx, "debian12")
	s.ok(err)
	folder, err := s.finder.DefaultFolder(s.ctx)
	s.ok(err)
	pool, err := s.finder.DefaultResourcePool(s.ctx)
	s.ok(err)
	ref := pool.Reference()
	customization := &types.CustomizationSpec{
		Identity: &types.CustomizationLinuxPrep{HostName: &types.CustomizationVirtualMachineName{}},
	}
	for _, address := range plan.addresses {
		var ip types.BaseCustomizationIpGenerator = &types.CustomizationDhcpIpGenerator{}
		if address != "" {
			ip = &types.CustomizationFixedIp{IpAddress: address}
		}
		customization.NicSettingMap = append(customization.NicSettingMap, types.CustomizationAdapterMapping{
			Adapter: types.CustomizationIPSettings{Ip: ip, SubnetMask: "255.255.255.0"},
		})
	}
	task, err := template.Clone(s.ctx, folder, plan.name, types.VirtualMachineCloneSpec{
		Location:      types.VirtualMachineRelocateSpec{Pool: &ref},
		Config:        &types.VirtualMachineConfigSpec{Annotation: plan.annotation},
		PowerOn:       true,
		Customization: customization,
	})
	s.ok(err)
	info, err := task.WaitForResult(s.ctx)
	if err != nil {
		return nil, err
	}
	return object.NewVirtualMachine(s.client.Client, info.Result.(types.ManagedObjectReference)), nil
}

func (s *stand) hatch(name string) *object.VirtualMachine {
	s.Helper()
	vm, err := s.clone(clonePlan{name: name, annotation: "a", addresses: []string{"10.0.0.5"}})
	s.ok(err)
	return vm
}

func (s *stand) read(vm *object.VirtualMachine) mo.VirtualMachine {
	s.Helper()
	var result mo.VirtualMachine
	s.ok(vm.Properties(s.ctx, vm.Reference(), []string{"name", "config", "guest", "runtime", "summary"}, &result))
	return result
}

// until waits, by subscription, for a property to satisfy a condition.
func (s *stand) until(vm *object.VirtualMachine, path string, holds func(any) bool) {
	s.Helper()
	s.ok(property.Wait(s.ctx, property.DefaultCollector(s.client.Client), vm.Reference(), []string{path},
		func(changes []types.PropertyChange) bool {
			for _, change := range changes {
				if change.Name == path && holds(change.Val) {
					return true
				}
			}
			return false
		}))
}

func (s *stand) untilReady(vm *object.VirtualMachine) {
	s.Helper()
	s.until(vm, "guest.guestOperationsReady", func(v any) bool { return v == true })
}

func (s *stand) untilPower(vm *object.VirtualMachine, state types.VirtualMachinePowerState) {
	s.Helper()
	s.until(vm, "runtime.powerState", func(v any) bool { return v == state })
}

func (s *stand) processes(vm *object.VirtualMachine) *guest.ProcessManager {
	s.Helper()
	pm, err := guest.NewOperationsManager(s.client.Client, vm.Reference()).ProcessManager(s.ctx)
	s.ok(err)
	return pm
}

var guestLogin = &types.NamePasswordAuthentication{Username: "worker", Password: "worker"}

// run starts a shell script in the guest as the hatchery does.
func (s *stand) run(vm *object.VirtualMachine, script string, env ...string) int64 {
	s.Helper()
	pid, err := s.processes(vm).StartProgram(s.ctx, guestLogin, &types.GuestProgramSpec{
		ProgramPath: "/bin/echo", Arguments: "-n ;" + script, EnvVariables: env,
	})
	s.ok(err)
	return pid
}

// exit waits for the end of a guest process.
func (s *stand) exit(vm *object.VirtualMachine, pid int64) types.GuestProcessInfo {
	s.Helper()
	for {
		infos, err := s.processes(vm).ListProcesses(s.ctx, guestLogin, []int64{pid})
		s.ok(err)
		if len(infos) != 1 {
			s.Fatalf("%d processes of pid %d", len(infos), pid)
		}
		if infos[0].EndTime != nil {
			return infos[0]
		}
		select {
		case <-s.ctx.Done():
			s.Fatal("the guest process does not end")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
