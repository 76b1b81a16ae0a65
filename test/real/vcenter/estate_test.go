package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func TestEstateHasOnePoolAndATemplateWithASnapshot(t *testing.T) {
	s := newStand(t, func(o *options) {
		o.datacenter = "Paris"
		o.networks = stringList{"Build"}
		o.portgroups = 1
		o.templates = templateList{{"big", 8, 16384, 3}}
	})
	template, err := s.finder.VirtualMachine(s.ctx, "big")
	s.ok(err)
	var seen mo.VirtualMachine
	s.ok(template.Properties(s.ctx, template.Reference(), []string{"config", "snapshot"}, &seen))
	if !seen.Config.Template || seen.Snapshot == nil || seen.Snapshot.CurrentSnapshot == nil {
		t.Error("no template with a snapshot")
	}
	hardware := seen.Config.Hardware
	if hardware.NumCPU != 8 || hardware.MemoryMB != 16384 || len(cards(hardware.Device)) != 3 {
		t.Errorf("hardware %d %d %d", hardware.NumCPU, hardware.MemoryMB, len(cards(hardware.Device)))
	}
	if _, err := s.finder.DefaultResourcePool(s.ctx); err != nil {
		t.Error(err)
	}
	if datacenter, err := s.finder.DefaultDatacenter(s.ctx); err != nil || datacenter.Name() != "Paris" {
		t.Error(datacenter, err)
	}
	for _, name := range []string{"VM Network", "Build", "DC0_DVPG0"} {
		if _, err := s.finder.Network(s.ctx, name); err != nil {
			t.Error(err)
		}
	}
}

func TestForeignMachinesAreSeenAndCanBeDestroyed(t *testing.T) {
	s := newStand(t, func(o *options) { o.foreign = 300 })
	manager := view.NewManager(s.client.Client)
	root := s.client.ServiceContent.RootFolder
	container, err := manager.CreateContainerView(s.ctx, root, []string{"VirtualMachine"}, true)
	s.ok(err)
	var machines []mo.VirtualMachine
	paths := []string{"name", "config.instanceUuid", "guest.ipAddress", "runtime.powerState"}
	s.ok(container.Retrieve(s.ctx, []string{"VirtualMachine"}, paths, &machines))
	ids, addresses := map[string]bool{}, map[string]bool{}
	for _, m := range machines {
		if strings.HasPrefix(m.Name, "foreign-") && m.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			ids[m.Config.InstanceUuid], addresses[m.Guest.IpAddress] = true, true
		}
	}
	if len(machines) != 301 || len(ids) != 300 || len(addresses) != 300 {
		t.Fatalf("%d machines, %d ids, %d addresses", len(machines), len(ids), len(addresses))
	}
	vm, err := s.finder.VirtualMachine(s.ctx, "foreign-00007")
	s.ok(err)
	s.ok(s.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: "x"}))
	s.order("POST", "/destroy", order{Name: "foreign-00007"}, nil)
	if _, err := s.finder.VirtualMachine(s.ctx, "foreign-00007"); err == nil {
		t.Fatal("still there")
	}
}

func TestForeignMachinesThatArriveLaterReachASubscriber(t *testing.T) {
	s := newStand(t, nil)
	manager := view.NewManager(s.client.Client)
	container, err := manager.CreateContainerView(s.ctx, s.client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	s.ok(err)
	filter := new(property.WaitFilter).Add(container.Reference(), "VirtualMachine", []string{"name"}, container.TraversalSpec())
	arrived := make(chan error, 1)
	seen := map[string]bool{}
	s.ok(property.WaitForUpdates(s.ctx, property.DefaultCollector(s.client.Client), filter,
		func(updates []types.ObjectUpdate) bool {
			if len(seen) == 0 {
				go func() { arrived <- s.server.estate.addForeign(5) }()
			}
			for _, update := range updates {
				for _, change := range update.ChangeSet {
					seen[change.Val.(string)] = true
				}
			}
			return seen["foreign-00002"] && seen["foreign-00006"]
		}))
	s.ok(<-arrived)
}

func TestPoolFiguresCanBeSet(t *testing.T) {
	s := newStand(t, nil)
	cpu, used, memory, unreserved := int64(1000), int64(400), int64(2048), int64(512)
	s.order("POST", "/pool", poolFigures{
		CPUMHz: &cpu, CPUUsed: &used, MemoryMB: &memory, MemoryUnreservedMB: &unreserved,
	}, nil)
	ref, err := s.finder.DefaultResourcePool(s.ctx)
	s.ok(err)
	var pool mo.ResourcePool
	s.ok(ref.Properties(s.ctx, ref.Reference(), []string{"runtime"}, &pool))
	runtime := pool.Runtime
	if runtime.Cpu.MaxUsage != 1000 || runtime.Cpu.OverallUsage != 400 || runtime.Cpu.UnreservedForVm != 1000 {
		t.Errorf("cpu %+v", runtime.Cpu)
	}
	if runtime.Memory.MaxUsage != 2<<30 || runtime.Memory.UnreservedForVm != 512<<20 {
		t.Errorf("memory %+v", runtime.Memory)
	}
}

func TestDeniedPrivilegesAreToldAndEnforced(t *testing.T) {
	s := newStand(t, nil)
	vm := s.hatch("a")
	s.order("POST", "/privileges", []string{"VirtualMachine.Interact.PowerOff"}, nil)
	answer, err := methods.HasPrivilegeOnEntities(s.ctx, s.client.Client, &types.HasPrivilegeOnEntities{
		This:   *s.client.ServiceContent.AuthorizationManager,
		Entity: []types.ManagedObjectReference{vm.Reference()},
		PrivId: []string{"VirtualMachine.Interact.PowerOff", "VirtualMachine.Interact.PowerOn"},
	})
	s.ok(err)
	granted := answer.Returnval[0].PrivAvailability
	if granted[0].IsGranted || !granted[1].IsGranted {
		t.Errorf("granted %v", granted)
	}
	if _, err := vm.PowerOff(s.ctx); !fault.Is(err, new(types.NoPermission)) {
		t.Errorf("%T %v", err, err)
	}
	s.order("POST", "/privileges", []string{}, nil)
	s.ok(finished(vm.PowerOff(s.ctx)))
}

func TestLoginChecksUserAndPassword(t *testing.T) {
	s := newStand(t, nil)
	_, err := govmomi.NewClient(s.ctx, s.address("rookery@vsphere.local", "wrong"), true)
	if !fault.Is(err, new(types.InvalidLogin)) {
		t.Fatalf("%T %v", err, err)
	}
}

func TestTLSCertificateIsTheOneThatIsPrinted(t *testing.T) {
	o := defaults()
	o.tls = true
	_ = o.templates.Set("debian12")
	server, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.close)
	ready := server.ready()
	roots := x509.NewCertPool()
	if !strings.HasPrefix(ready.URL, "https://") || !roots.AppendCertsFromPEM([]byte(ready.PEM)) {
		t.Fatal(ready.URL, ready.PEM)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	request, _ := http.NewRequestWithContext(context.Background(), "GET", ready.URL+"/vimServiceVersions.xml", nil)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var digest object.HostCertificateInfo
	if got := digest.FromCertificate(response.TLS.PeerCertificates[0]).ThumbprintSHA256; got != ready.SHA256 {
		t.Fatalf("thumbprint %s, printed %s", got, ready.SHA256)
	}
}
