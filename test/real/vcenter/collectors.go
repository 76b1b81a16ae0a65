package main

import (
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// breath is how long a collector gathers what it hears.
const breath = 20 * time.Millisecond

// calmCollector hears for a property collector, and passes on what it heard a breath later, all changes of an object as one. The simulator's
// own reads everything that its filters reach anew for each single change that it is told, and a clone has some fifty: with twenty machines
// that alone took a second of processor time. What no filter can reach it does not pass on: the task manager's list, and the views of other
// sessions, each of which changes with each new machine for as long as its session lives, its client gone or not.
type calmCollector struct {
	*simulator.PropertyCollector
	roots map[types.ManagedObjectReference]bool

	gathering sync.Mutex
	heard     []types.ObjectUpdate
	// open is where in heard the changes of an object are that more can be added to.
	open map[types.ManagedObjectReference]int
}

func (c *calmCollector) PutObject(_ *simulator.Context, obj mo.Reference) {
	c.hear(types.ObjectUpdate{Obj: obj.Reference(), Kind: types.ObjectUpdateKindEnter})
}

func (c *calmCollector) UpdateObject(_ *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	c.hear(types.ObjectUpdate{Obj: obj.Reference(), Kind: types.ObjectUpdateKindModify, ChangeSet: slices.Clone(changes)})
}

func (c *calmCollector) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	c.hear(types.ObjectUpdate{Obj: ref, Kind: types.ObjectUpdateKindLeave})
}

func (c *calmCollector) hear(update types.ObjectUpdate) {
	c.gathering.Lock()
	defer c.gathering.Unlock()
	if kind := update.Obj.Type; (kind == "ContainerView" || kind == "TaskManager") && !c.roots[update.Obj] {
		return
	}
	if len(c.heard) == 0 {
		time.AfterFunc(breath, c.pass)
	}
	if update.Kind != types.ObjectUpdateKindModify {
		delete(c.open, update.Obj)
	} else if at, ok := c.open[update.Obj]; ok {
		c.heard[at].ChangeSet = append(c.heard[at].ChangeSet, update.ChangeSet...)
		return
	} else {
		c.open[update.Obj] = len(c.heard)
	}
	c.heard = append(c.heard, update)
}

// pass tells the collector what was heard.
func (c *calmCollector) pass() {
	c.gathering.Lock()
	defer c.gathering.Unlock()
	for _, update := range c.heard {
		switch update.Kind {
		case types.ObjectUpdateKindEnter:
			c.PropertyCollector.PutObject(nil, update.Obj)
		case types.ObjectUpdateKindModify:
			c.PropertyCollector.UpdateObject(nil, update.Obj, update.ChangeSet)
		case types.ObjectUpdateKindLeave:
			c.PropertyCollector.RemoveObject(nil, update.Obj)
		}
	}
	c.heard = nil
	clear(c.open)
}

// reach learns from which objects the collector's filters start.
func (c *calmCollector) reach(filters []*simulator.PropertyFilter) {
	c.gathering.Lock()
	defer c.gathering.Unlock()
	clear(c.roots)
	for _, filter := range filters {
		for _, set := range filter.Spec.ObjectSet {
			c.roots[set.Obj] = true
		}
	}
}

// collectorOf answers a session's property collector, nil where the reference is none.
func collectorOf(session *simulator.Session, ref types.ManagedObjectReference) *simulator.PropertyCollector {
	switch collector := session.Get(ref).(type) {
	case *simulator.PropertyCollector:
		return collector
	case *calmCollector:
		return collector.PropertyCollector
	}
	return nil
}

// calm has a collector that is asked for updates, and its filters, hear calmly. The collector itself takes the place of its calm one when it is
// asked for everything, so this is done at each call.
func calm(ctx *simulator.Context, method *simulator.Method) {
	if ctx.Session == nil || method.Name != "WaitForUpdatesEx" {
		return
	}
	collector := collectorOf(ctx.Session, method.This)
	if collector == nil {
		return
	}
	var filters []*simulator.PropertyFilter
	for _, ref := range collector.Filter {
		if filter, ok := ctx.Session.Get(ref).(*simulator.PropertyFilter); ok {
			ctx.Map.AddHandler(calmFilter{filter})
			filters = append(filters, filter)
		}
	}
	c, ok := ctx.Session.Get(method.This).(*calmCollector)
	if !ok {
		c = &calmCollector{
			PropertyCollector: collector,
			roots:             make(map[types.ManagedObjectReference]bool),
			open:              make(map[types.ManagedObjectReference]int),
		}
		ctx.Session.Registry.Put(c)
	}
	c.reach(filters)
	c.pass()
	if body, ok := method.Body.(*types.WaitForUpdatesEx); ok && body.Version != "" {
		ctx.Map.AddHandler(c)
	}
}
