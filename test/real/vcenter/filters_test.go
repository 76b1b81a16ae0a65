package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/types"
)

// atOnce does the same for many machines at a time.
func (s *stand) atOnce(count int, deed func(i int) error) {
	s.Helper()
	errs := make(chan error, count)
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() { errs <- deed(i) })
	}
	group.Wait()
	close(errs)
	for err := range errs {
		s.ok(err)
	}
}

func TestASubscriberHearsOfEveryMachineThatComesAndGoesWhenManyDoAtOnce(t *testing.T) {
	s := newStand(t, nil)
	root := s.client.ServiceContent.RootFolder
	all, err := view.NewManager(s.client.Client).CreateContainerView(s.ctx, root, []string{"VirtualMachine"}, true)
	s.ok(err)
	const many = 15
	known := make(map[types.ManagedObjectReference]bool)
	listening, complete, ended := make(chan bool, 1), make(chan bool, 1), make(chan error, 1)
	gone := 0
	go func() {
		filter := new(property.WaitFilter).Add(all.Reference(), "VirtualMachine", []string{"name"}, all.TraversalSpec())
		ended <- property.WaitForUpdates(s.ctx, property.DefaultCollector(s.client.Client), filter,
			func(updates []types.ObjectUpdate) bool {
				for _, update := range updates {
					known[update.Obj] = true
					if update.Kind == types.ObjectUpdateKindLeave {
						gone++
					}
				}
				for _, told := range []struct {
					holds bool
					whom  chan bool
				}{{true, listening}, {len(known) > many, complete}} {
					if told.holds {
						select {
						case told.whom <- true:
						default:
						}
					}
				}
				return gone == many
			})
	}()
	clone := func(name string) func(i int) error {
		return func(i int) error {
			_, err := s.clone(clonePlan{name: fmt.Sprintf("%s-%d", name, i), addresses: []string{""}})
			return err
		}
	}
	<-listening
	s.atOnce(many, clone("a"))
	<-complete
	s.atOnce(2*many, func(i int) error {
		if i%2 == 0 {
			return clone("b")(i)
		}
		vm, err := s.server.estate.machine(fmt.Sprintf("a-%d", i/2))
		if err != nil {
			return err
		}
		return s.server.estate.destroy(vm)
	})
	s.ok(<-ended)
}
