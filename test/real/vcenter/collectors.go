package main

import (
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// breath is how long a collector gathers what it hears while somebody waits.
const breath = 20 * time.Millisecond

// calmCollector hears for a property collector, and passes on what it heard when somebody waits for updates: all changes of an object as one, each
// property once. The simulator's own reads everything that its filters reach anew for each single change that it is told, and a machine's
// life has some forty. What no filter can reach it does not pass on: the task manager's list, and the views of other sessions, each of which
// changes with each new machine for as long as its session lives, its client gone or not.
type calmCollector struct {
	*simulator.PropertyCollector

	gathering sync.Mutex
	waiting   int
	roots     map[types.ManagedObjectReference]bool
	heard     []types.ObjectUpdate
	// open is where in heard the changes of an object are that more can be added to.
	open map[types.ManagedObjectReference]int
}

// WaitForUpdatesEx passes on what was heard until now, and goes on while it waits. The simulator's own collector takes the place of this
// one when it is asked for everything.
func (c *calmCollector) WaitForUpdatesEx(ctx *simulator.Context, req *types.WaitForUpdatesEx) soap.HasFault {
	c.listen(ctx)
	c.pass()
	defer func() {
		c.gathering.Lock()
		c.waiting--
		c.gathering.Unlock()
	}()
	answer := c.PropertyCollector.WaitForUpdatesEx(ctx, req)
	if req.Version == "" {
		ctx.Map.AddHandler(c)
	}
	return answer
}

// listen has the filters hear calmly, and learns from which objects they start.
func (c *calmCollector) listen(ctx *simulator.Context) {
	c.gathering.Lock()
	defer c.gathering.Unlock()
	c.waiting++
	clear(c.roots)
	for _, ref := range c.Filter {
		filter, ok := ctx.Session.Get(ref).(*simulator.PropertyFilter)
		if !ok {
			continue
		}
		ctx.Map.AddHandler(calmFilter{filter})
		for _, set := range filter.Spec.ObjectSet {
			c.roots[set.Obj] = true
		}
	}
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
	if c.waiting > 0 && len(c.heard) == 0 {
		time.AfterFunc(breath, c.pass)
	}
	if update.Kind != types.ObjectUpdateKindModify {
		delete(c.open, update.Obj)
	} else if at, ok := c.open[update.Obj]; ok {
		before := c.heard[at].ChangeSet
		for _, change := range update.ChangeSet {
			before = slices.DeleteFunc(before, func(b types.PropertyChange) bool { return b.Name == change.Name })
		}
		c.heard[at].ChangeSet = append(before, update.ChangeSet...)
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

// calm puts a calm collector in the place of one that is asked for updates.
func calm(ctx *simulator.Context, method *simulator.Method) {
	if ctx.Session == nil || method.Name != "WaitForUpdatesEx" {
		return
	}
	if collector, ok := ctx.Session.Get(method.This).(*simulator.PropertyCollector); ok {
		ctx.Session.Registry.Put(&calmCollector{
			PropertyCollector: collector,
			roots:             make(map[types.ManagedObjectReference]bool),
			open:              make(map[types.ManagedObjectReference]int),
		})
	}
}
