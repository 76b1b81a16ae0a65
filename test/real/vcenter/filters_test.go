package main

import (
	"fmt"
	"testing"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/types"
)

func TestManyClonesAtOnceReachASubscriber(t *testing.T) {
	s := newStand(t, nil)
	root := s.client.ServiceContent.RootFolder
	all, err := view.NewManager(s.client.Client).CreateContainerView(s.ctx, root, []string{"VirtualMachine"}, true)
	s.ok(err)
	const clones = 40
	seen := make(map[types.ManagedObjectReference]bool)
	listening, ended := make(chan bool, 1), make(chan error, 1)
	go func() {
		filter := new(property.WaitFilter).Add(all.Reference(), "VirtualMachine", []string{"name"}, all.TraversalSpec())
		ended <- property.WaitForUpdates(s.ctx, property.DefaultCollector(s.client.Client), filter,
			func(updates []types.ObjectUpdate) bool {
				for _, update := range updates {
					seen[update.Obj] = true
				}
				select {
				case listening <- true:
				default:
				}
				return len(seen) > clones
			})
	}()
	<-listening
	errs := make(chan error)
	for i := range clones {
		go func() {
			_, err := s.clone(clonePlan{name: fmt.Sprintf("w-%d", i), addresses: []string{""}})
			errs <- err
		}()
	}
	for range clones {
		s.ok(<-errs)
	}
	s.ok(<-ended)
}
