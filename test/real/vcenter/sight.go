package main

import (
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// readPrivilege is what the account needs to see machines. Without it they are not gone, and yet they leave all its views, and a subscriber
// hears just that; one that is read by its reference has each property refused.
const readPrivilege = "System.Read"

// sight takes the machines out of the account's views, and puts them back.
type sight struct {
	estate *estate

	mu       sync.Mutex
	lost     bool
	watchers map[types.ManagedObjectReference]watcher
}

// watcher is a collector that was asked for updates, with its session.
type watcher struct {
	session   *simulator.Session
	collector *simulator.PropertyCollector
}

func newSight(e *estate) *sight {
	return &sight{estate: e, watchers: make(map[types.ManagedObjectReference]watcher)}
}

// set tells every subscriber that all machines left, or that they are there.
func (s *sight) set(lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == lost {
		return
	}
	s.lost = lost
	machines := s.estate.registry.All("VirtualMachine")
	for _, w := range s.watchers {
		ctx := s.estate.context()
		ctx.Session = w.session
		if lost {
			s.strip(ctx)
			for _, vm := range machines {
				w.collector.RemoveObject(ctx, vm.Reference())
			}
			continue
		}
		for _, view := range views(w.session) {
			for _, vm := range machines {
				if !slices.Contains(view.View, vm.Reference()) {
					view.PutObject(ctx, vm)
				}
			}
		}
		for _, vm := range machines {
			w.collector.PutObject(ctx, vm)
		}
	}
}

// cancel ends all that wait for updates.
func (s *sight) cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref, w := range s.watchers {
		w.collector.CancelWaitForUpdates(&types.CancelWaitForUpdates{This: ref})
	}
	clear(s.watchers)
}

func views(session *simulator.Session) []*simulator.ContainerView {
	var found []*simulator.ContainerView
	for _, object := range session.Registry.AllReference("ContainerView") {
		if view, ok := object.(*simulator.ContainerView); ok {
			found = append(found, view)
		}
	}
	return found
}

// strip takes all machines out of the views of the context's session.
func (s *sight) strip(ctx *simulator.Context) {
	for _, view := range views(ctx.Session) {
		for _, ref := range slices.Clone(view.View) {
			if ref.Type == "VirtualMachine" {
				view.RemoveObject(ctx, ref)
			}
		}
	}
}

// attend sees each call: it learns who watches, keeps machines out of new views, and has a direct read answered without sight.
func (s *sight) attend(ctx *simulator.Context, method *simulator.Method) {
	if ctx.Session == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if collector := collectorOf(ctx.Session, method.This); collector != nil && method.Name == "WaitForUpdatesEx" {
		s.watchers[method.This] = watcher{ctx.Session, collector}
	}
	if !s.lost || method.This.Type != "PropertyCollector" {
		return
	}
	s.strip(ctx)
	if specs := specsOf(method.Body); slices.ContainsFunc(specs, readsMachine) {
		collector := new(blind)
		ctx.Session.Registry.Put(collector)
		method.This = collector.Reference()
	}
}

func specsOf(body any) []types.PropertyFilterSpec {
	switch body := body.(type) {
	case *types.RetrieveProperties:
		return body.SpecSet
	case *types.RetrievePropertiesEx:
		return body.SpecSet
	}
	return nil
}

func readsMachine(spec types.PropertyFilterSpec) bool {
	return slices.ContainsFunc(spec.ObjectSet, func(o types.ObjectSpec) bool { return o.Obj.Type == "VirtualMachine" })
}

// blind is a collector that answers for each object that it may read nothing of it.
type blind struct{}

func (*blind) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "PropertyCollector", Value: "blind"}
}

func refused(specs []types.PropertyFilterSpec) []types.ObjectContent {
	var contents []types.ObjectContent
	for _, spec := range specs {
		for _, object := range spec.ObjectSet {
			content := types.ObjectContent{Obj: object.Obj}
			for _, set := range spec.PropSet {
				for _, path := range set.PathSet {
					content.MissingSet = append(content.MissingSet, types.MissingProperty{Path: path, Fault: types.LocalizedMethodFault{
						Fault: &types.NoPermission{Object: &content.Obj, PrivilegeId: readPrivilege},
					}})
				}
			}
			contents = append(contents, content)
		}
	}
	return contents
}

func (*blind) RetrieveProperties(req *types.RetrieveProperties) soap.HasFault {
	return &methods.RetrievePropertiesBody{Res: &types.RetrievePropertiesResponse{Returnval: refused(req.SpecSet)}}
}

func (*blind) RetrievePropertiesEx(req *types.RetrievePropertiesEx) soap.HasFault {
	result := &types.RetrieveResult{Objects: refused(req.SpecSet)}
	return &methods.RetrievePropertiesExBody{Res: &types.RetrievePropertiesExResponse{Returnval: result}}
}
