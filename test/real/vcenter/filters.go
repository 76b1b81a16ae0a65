package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// calmFilter does not hear of a change of its container view, as its collector hears of each machine that comes and goes by itself. The
// simulator's own starts anew at such a change:
//   - it waits for the filter's lock while a new machine's is held, and a subscriber that is being answered holds the filter's and
//     waits for the machine's: with two clones at once both wait for ever;
//   - it forgets its machines, so that one that goes at the same moment is not told to have gone.
type calmFilter struct {
	*simulator.PropertyFilter
}

func (f calmFilter) UpdateObject(ctx *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	if obj.Reference().Type != "ContainerView" {
		f.PropertyFilter.UpdateObject(ctx, obj, changes)
	}
}
