package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// privileges is the authorization manager of an account that lacks some: it says so when asked, and calls that need them are refused
// with NoPermission. The simulator's own grants everything, and goes on doing so for HasPrivilegeOnEntity alone: its XML encoder leaves
// each `false` out of that method's answer.
type privileges struct {
	*simulator.AuthorizationManager

	mu     sync.Mutex
	denied map[string]bool
}

func newPrivileges(m *simulator.AuthorizationManager) *privileges {
	return &privileges{AuthorizationManager: m, denied: make(map[string]bool)}
}

// needed is the privilege that a call needs on its object.
var needed = map[string]string{
	"CloneVM_Task":                  "VirtualMachine.Provisioning.DeployTemplate",
	"CreateContainerView":           "System.View",
	"Destroy_Task":                  "VirtualMachine.Inventory.Delete",
	"InitiateFileTransferFromGuest": "VirtualMachine.GuestOperations.Query",
	"ListProcessesInGuest":          "VirtualMachine.GuestOperations.Query",
	"PowerOffVM_Task":               "VirtualMachine.Interact.PowerOff",
	"PowerOnVM_Task":                "VirtualMachine.Interact.PowerOn",
	"ReconfigVM_Task":               "VirtualMachine.Config.Settings",
	"ShutdownGuest":                 "VirtualMachine.Interact.PowerOff",
	"StartProgramInGuest":           "VirtualMachine.GuestOperations.Execute",
}

func (p *privileges) deny(ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied = make(map[string]bool)
	for _, id := range ids {
		p.denied[id] = true
	}
}

func (p *privileges) has(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.denied[id]
}

func (p *privileges) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.denied))
}

func (p *privileges) check(method *simulator.Method) types.BaseMethodFault {
	id, ok := needed[method.Name]
	if method.This.Type == "VirtualMachine" && !p.has(readPrivilege) {
		id, ok = readPrivilege, true
	}
	if !ok || p.has(id) {
		return nil
	}
	this := method.This
	return &types.NoPermission{Object: &this, PrivilegeId: id}
}

func (p *privileges) availability(ids []string) []types.PrivilegeAvailability {
	answer := make([]types.PrivilegeAvailability, len(ids))
	for i, id := range ids {
		answer[i] = types.PrivilegeAvailability{PrivId: id, IsGranted: p.has(id)}
	}
	return answer
}

func (p *privileges) entities(refs []types.ManagedObjectReference, ids []string) []types.EntityPrivilege {
	answer := make([]types.EntityPrivilege, len(refs))
	for i, ref := range refs {
		answer[i] = types.EntityPrivilege{Entity: ref, PrivAvailability: p.availability(ids)}
	}
	return answer
}

func (p *privileges) HasPrivilegeOnEntities(req *types.HasPrivilegeOnEntities) soap.HasFault {
	return &methods.HasPrivilegeOnEntitiesBody{Res: &types.HasPrivilegeOnEntitiesResponse{
		Returnval: p.entities(req.Entity, req.PrivId),
	}}
}

func (p *privileges) HasUserPrivilegeOnEntities(req *types.HasUserPrivilegeOnEntities) soap.HasFault {
	return &methods.HasUserPrivilegeOnEntitiesBody{Res: &types.HasUserPrivilegeOnEntitiesResponse{
		Returnval: p.entities(req.Entities, req.PrivId),
	}}
}

func (p *privileges) FetchUserPrivilegeOnEntities(req *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	body := p.AuthorizationManager.FetchUserPrivilegeOnEntities(req).(*methods.FetchUserPrivilegeOnEntitiesBody)
	for i := range body.Res.Returnval {
		result := &body.Res.Returnval[i]
		result.Privileges = slices.DeleteFunc(slices.Clone(result.Privileges), func(id string) bool { return !p.has(id) })
	}
	return body
}
