package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// estate is the simulated vCenter: one datacenter with one cluster of one host, one resource pool and one datastore.
type estate struct {
	service    *simulator.Service
	registry   *simulator.Registry
	model      *simulator.Model
	guests     *guests
	files      *files
	privileges *privileges
	late       *lateFaults
	sight      *sight
	data       string
	keepData   bool

	finder    *find.Finder
	client    *vim25.Client
	datastore *object.Datastore
	pool      *object.ResourcePool
	folder    *object.Folder
	network   object.NetworkReference
}

func newEstate(o options) (*estate, error) {
	e := &estate{data: o.data, keepData: o.data != "", late: newLateFaults()}
	if e.data == "" {
		dir, err := os.MkdirTemp("", "rookery-vcenter-")
		if err != nil {
			return nil, err
		}
		e.data = dir
	}
	o.data = e.data
	e.sight = newSight(e)
	model := simulator.VPX()
	model.Host, model.ClusterHost, model.Machine, model.Portgroup = 0, 1, 0, o.portgroups
	e.model = model
	if err := model.Create(); err != nil {
		return nil, err
	}
	e.service = model.Service
	e.registry = model.Map()
	guests, err := newGuests(e, o)
	if err != nil {
		return nil, err
	}
	e.guests = guests
	e.registry.AddHandler(newHerald(guests))
	content := e.registry.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content
	e.registry.AddHandler(&recent{registry: e.registry, manager: *content.TaskManager, kept: o.tasksKept})
	e.installManagers(o)
	if err := e.furnishInventory(o); err != nil {
		return nil, err
	}
	e.registry.Handler = e.intercept
	e.service.Listen = &url.URL{User: url.UserPassword(o.user, o.password)}
	e.service.RegisterSDK(e.registry, e.registry.Path+"/vimService")
	e.service.ServeMux.HandleFunc(e.registry.Path+"/vimServiceVersions.xml", e.service.ServiceVersions)
	e.service.ServeMux.Handle(guestFilePath, e.files)
	return e, nil
}

// installManagers puts our managers of guest operations and privileges over the simulator's own, under the same references.
func (e *estate) installManagers(o options) {
	content := e.registry.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content
	operations := e.registry.Get(*content.GuestOperationsManager).(*simulator.GuestOperationsManager)
	scheme := "http"
	if o.tls {
		scheme = "https"
	}
	e.files = newFiles(e.guests.programs, scheme)
	pm := &processManager{programs: e.guests.programs}
	pm.Self = *operations.ProcessManager
	e.registry.Put(pm)
	fm := &fileManager{programs: e.guests.programs, files: e.files}
	fm.Self = *operations.FileManager
	e.registry.Put(fm)
	e.privileges = newPrivileges(e.registry.Get(*content.AuthorizationManager).(*simulator.AuthorizationManager))
	e.registry.Put(e.privileges)
}

// intercept sees each decoded request before the simulator carries it out.
func (e *estate) intercept(
	ctx *simulator.Context, method *simulator.Method,
) (mo.Reference, types.BaseMethodFault) {
	if fault := e.privileges.check(method); fault != nil {
		return nil, fault
	}
	e.sight.attend(ctx, method)
	if e.late.take(ctx, method) {
		return nil, nil
	}
	redirect(ctx, method, e.guests)
	calm(ctx, method)
	return nil, nil
}

// context is one for work of our own: the simulator's locks belong to a context, so no two pieces of work share one.
func (e *estate) context() *simulator.Context {
	ctx := *e.service.Context
	return &ctx
}

func (e *estate) furnishInventory(o options) error {
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, e.service)
	if err != nil {
		return err
	}
	e.client = client
	e.finder = find.NewFinder(client, false)
	datacenter, err := e.finder.DefaultDatacenter(ctx)
	if err != nil {
		return err
	}
	e.finder.SetDatacenter(datacenter)
	folders, err := datacenter.Folders(ctx)
	if err != nil {
		return err
	}
	e.folder = folders.VmFolder
	if e.datastore, err = e.finder.DefaultDatastore(ctx); err != nil {
		return err
	}
	if e.pool, err = e.finder.DefaultResourcePool(ctx); err != nil {
		return err
	}
	if e.network, err = e.finder.Network(ctx, "VM Network"); err != nil {
		return err
	}
	if o.datacenter != "DC0" {
		if err := finished(datacenter.Rename(ctx, o.datacenter)); err != nil {
			return err
		}
	}
	for _, name := range o.networks {
		e.addNetwork(name)
	}
	for _, t := range o.templates {
		if _, err := e.addMachine(ctx, t, true); err != nil {
			return fmt.Errorf("template %s: %w", t.name, err)
		}
	}
	e.setPool(poolFigures{CPUMHz: &o.poolCPU, MemoryMB: &o.poolMemory})
	return e.addForeign(o.foreign)
}

// addNetwork puts one more standard network into the datacenter.
func (e *estate) addNetwork(name string) {
	original := e.registry.Get(e.network.Reference()).(*mo.Network)
	folder := e.registry.Get(*original.Parent).(*simulator.Folder)
	datacenter := e.registry.Get(*folder.Parent).(*simulator.Datacenter)
	network := &mo.Network{Name: name}
	network.Entity().Name = name
	network.Summary = &types.NetworkSummary{Name: name, Accessible: true}
	network.Host = original.Host
	e.registry.PutEntity(folder, network)
	network.Summary.GetNetworkSummary().Network = &network.Self
	folder.ChildEntity = append(folder.ChildEntity, network.Self)
	datacenter.Network = append(datacenter.Network, network.Self)
	for _, host := range e.registry.All("HostSystem") {
		host := host.(*simulator.HostSystem)
		host.Network = append(host.Network, network.Self)
	}
	for _, cluster := range e.registry.All("ClusterComputeResource") {
		cluster := cluster.(*simulator.ClusterComputeResource)
		cluster.Network = append(cluster.Network, network.Self)
	}
}

// addMachine creates a machine the way a client does, as a template with a snapshot where wanted. It has notes: the simulator leaves empty ones
// out, where vCenter always tells them.
func (e *estate) addMachine(ctx context.Context, t template, asTemplate bool) (*object.VirtualMachine, error) {
	var devices object.VirtualDeviceList
	scsi, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return nil, err
	}
	devices = append(devices, scsi)
	disk := devices.CreateDisk(scsi.(types.BaseVirtualController), e.datastore.Reference(),
		fmt.Sprintf("[%s] %s/disk1.vmdk", e.datastore.Name(), t.name))
	disk.CapacityInKB = 10 << 20
	devices = append(devices, disk)
	backing, err := e.network.EthernetCardBackingInfo(ctx)
	if err != nil {
		return nil, err
	}
	for range t.nics {
		card, err := devices.CreateEthernetCard("vmxnet3", backing)
		if err != nil {
			return nil, err
		}
		devices = append(devices, card)
	}
	changes, err := devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		return nil, err
	}
	task, err := e.folder.CreateVM(ctx, types.VirtualMachineConfigSpec{
		Name:         t.name,
		Annotation:   "notes of " + t.name,
		GuestId:      string(types.VirtualMachineGuestOsIdentifierDebian12_64Guest),
		NumCPUs:      t.cpus,
		MemoryMB:     t.memoryMB,
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[" + e.datastore.Name() + "]"},
		DeviceChange: changes,
	}, e.pool, nil)
	if err != nil {
		return nil, err
	}
	info, err := task.WaitForResult(ctx)
	if err != nil {
		return nil, err
	}
	vm := object.NewVirtualMachine(e.client, info.Result.(types.ManagedObjectReference))
	if !asTemplate {
		return vm, nil
	}
	if err := finished(vm.CreateSnapshot(ctx, "base", "", false, false)); err != nil {
		return nil, err
	}
	return vm, vm.MarkAsTemplate(ctx)
}

func finished(task *object.Task, err error) error {
	if err != nil {
		return err
	}
	return task.Wait(context.Background())
}

// machine finds a machine by name or reference.
func (e *estate) machine(name string) (*simulator.VirtualMachine, error) {
	for _, entity := range e.registry.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		if vm.Self.Value == name || vm.Name == name {
			return vm, nil
		}
	}
	return nil, errors.New("no such machine: " + name)
}

func (e *estate) close() {
	e.guests.programs.close()
	e.model.Remove()
	if !e.keepData {
		_ = os.RemoveAll(e.data)
	}
}
