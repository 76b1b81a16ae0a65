package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// patientFilter hears of a change of its view without keeping the one who tells it waiting. The simulator's own waits for the filter's
// lock while a new machine's is held; a subscriber that is being answered holds the filter's and waits for the machine's: with two
// clones at once both wait for ever.
type patientFilter struct {
	*simulator.PropertyFilter
}

func (f patientFilter) UpdateObject(ctx *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	switch obj.Reference().Type {
	case "ContainerView", "ListView":
		own := *ctx
		go f.PropertyFilter.UpdateObject(&own, obj, changes)
	}
}

// soothe puts patient filters in place of those of a collector that is asked for updates.
func soothe(ctx *simulator.Context, method *simulator.Method) {
	if ctx.Session == nil || method.Name != "WaitForUpdatesEx" {
		return
	}
	collector, ok := ctx.Session.Get(method.This).(*simulator.PropertyCollector)
	if !ok {
		return
	}
	ctx.WithLock(collector, func() {
		for _, ref := range collector.Filter {
			if filter, ok := ctx.Session.Get(ref).(*simulator.PropertyFilter); ok {
				ctx.Map.AddHandler(patientFilter{filter})
			}
		}
	})
}
