package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/types"
)

// hearsay is what a subscriber was told of machines after their entry: the values by path.
type hearsay struct {
	values map[string]map[any]bool
	booted map[types.ManagedObjectReference]bool
}

func (h *hearsay) add(updates []types.ObjectUpdate) {
	for _, update := range updates {
		for _, change := range update.ChangeSet {
			if change.Name == "runtime.bootTime" && change.Val != nil {
				h.booted[update.Obj] = true
			}
			if values := h.values[change.Name]; values != nil && update.Kind == types.ObjectUpdateKindModify {
				values[change.Val] = true
			}
		}
	}
}

func TestSubscribersHearNothingOfANewMachineThatIsOlderThanItsEntry(t *testing.T) {
	s := newStand(t, nil)
	root := s.client.ServiceContent.RootFolder
	all, err := view.NewManager(s.client.Client).CreateContainerView(s.ctx, root, []string{"VirtualMachine"}, true)
	s.ok(err)
	paths := []string{"name", "config.name", "config.annotation", "config.hardware.memoryMB", "runtime.bootTime"}
	heard := hearsay{make(map[string]map[any]bool), make(map[types.ManagedObjectReference]bool)}
	for _, path := range paths[:4] {
		heard.values[path] = make(map[any]bool)
	}

	const clones = 30
	var first sync.Once
	listening, ended := make(chan bool), make(chan error, 1)
	go func() {
		filter := new(property.WaitFilter).Add(all.Reference(), "VirtualMachine", paths, all.TraversalSpec())
		ended <- property.WaitForUpdates(s.ctx, property.DefaultCollector(s.client.Client), filter,
			func(updates []types.ObjectUpdate) bool {
				first.Do(func() { close(listening) })
				heard.add(updates)
				return len(heard.booted) == clones
			})
	}()
	<-listening
	names := make(map[any]bool)
	for i := range clones {
		name := fmt.Sprintf("w-%d", i)
		names[name] = true
		_, err := s.clone(clonePlan{name: name, annotation: "ours", addresses: []string{""}})
		s.ok(err)
	}
	s.ok(<-ended)

	for path, right := range map[string]map[any]bool{
		"name": names, "config.name": names, "config.annotation": {"ours": true}, "config.hardware.memoryMB": {int32(2048): true},
	} {
		for value := range heard.values[path] {
			if !right[value] {
				t.Errorf("%s = %v", path, value)
			}
		}
	}
}
