package main

import (
	"path"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	customizationKey       = "rookery.customization"
	customizationPending   = string(types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_PENDING)
	customizationRunning   = string(types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_RUNNING)
	customizationSucceeded = string(types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_SUCCEEDED)
	customizationFailed    = string(types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_FAILED)
	toolsRunning           = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	toolsNotRunning        = string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning)
)

// Habit says how the guests of the machines behave whose name matches a glob. The last one given wins.
type Habit struct {
	Match string `json:"match"`
	// BootMs is the time from power-on to ready in milliseconds; nil is the program's -boot.
	BootMs *int `json:"boot_ms,omitempty"`
	// NeverReady guests start no Tools and get no address.
	NeverReady bool `json:"never_ready,omitempty"`
	// CustomizationFails leaves the guest ready with DHCP addresses and a failed customization.
	CustomizationFails bool `json:"customization_fails,omitempty"`
	// Address is shown as `guest.ipAddress` and first on the first card, in front of the right one (a docker bridge, say).
	Address string `json:"address,omitempty"`
	// IgnoresShutdown guests accept ShutdownGuest and stay on.
	IgnoresShutdown bool `json:"ignores_shutdown,omitempty"`
}

// guests boots the guest of each machine that is powered on, and forgets it at power-off.
type guests struct {
	estate   *estate
	programs *programs
	leases   *leases
	boot     time.Duration

	mu     sync.Mutex
	specs  map[string]*types.CustomizationSpec
	fixed  map[types.ManagedObjectReference]*types.CustomizationSpec
	boots  map[types.ManagedObjectReference]*time.Timer
	habits []Habit
}

func newGuests(e *estate, o options) (*guests, error) {
	leases, err := newLeases(o.dhcp)
	if err != nil {
		return nil, err
	}
	g := &guests{
		estate: e,
		leases: leases,
		boot:   o.boot,
		specs:  make(map[string]*types.CustomizationSpec),
		fixed:  make(map[types.ManagedObjectReference]*types.CustomizationSpec),
		boots:  make(map[types.ManagedObjectReference]*time.Timer),
	}
	g.programs = newPrograms(e, o)
	return g, nil
}

// keep holds a customization for the machine that carries its id in the extra configuration.
func (g *guests) keep(id string, spec *types.CustomizationSpec) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.specs[id] = spec
}

func (g *guests) addHabit(h Habit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.habits = append(g.habits, h)
}

func (g *guests) habit(name string) Habit {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := len(g.habits) - 1; i >= 0; i-- {
		if ok, _ := path.Match(g.habits[i].Match, name); ok {
			return g.habits[i]
		}
	}
	return Habit{}
}

// customization answers the machine's spec, and whether this boot is the one that applies it.
func (g *guests) customization(vm *mo.VirtualMachine) (spec *types.CustomizationSpec, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if spec := g.fixed[vm.Self]; spec != nil {
		return spec, false
	}
	for _, option := range vm.Config.ExtraConfig {
		if option := option.GetOptionValue(); option.Key == customizationKey {
			id, _ := option.Value.(string)
			spec = g.specs[id]
			delete(g.specs, id)
		}
	}
	if spec != nil {
		g.fixed[vm.Self] = spec
	}
	return spec, spec != nil
}

// power is told of each change of power, under the machine's lock.
func (g *guests) power(ctx *simulator.Context, vm *mo.VirtualMachine) {
	g.stop(vm.Self)
	if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
		ctx.Update(vm, asleep(vm))
		return
	}
	spec, first := g.customization(vm)
	if first {
		now := time.Now()
		ctx.Update(vm, []types.PropertyChange{{Name: "guest.customizationInfo", Val: &types.GuestInfoCustomizationInfo{
			CustomizationStatus: customizationRunning, StartTime: &now,
		}}})
	}
	habit := g.habit(vm.Name)
	if habit.NeverReady {
		return
	}
	delay := g.boot
	if habit.BootMs != nil {
		delay = time.Duration(*habit.BootMs) * time.Millisecond
	}
	ref := vm.Self
	g.mu.Lock()
	defer g.mu.Unlock()
	var timer *time.Timer
	timer = time.AfterFunc(delay, func() { g.booted(ref, func() *time.Timer { return timer }, spec, first, habit) })
	g.boots[ref] = timer
}

// booted makes the guest ready, unless the machine was switched off, or on again, in the meantime.
func (g *guests) booted(
	ref types.ManagedObjectReference, timer func() *time.Timer, spec *types.CustomizationSpec, first bool, habit Habit,
) {
	vm, ok := g.estate.registry.Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	ctx := g.estate.context()
	ctx.WithLock(vm, func() {
		g.mu.Lock()
		current := g.boots[ref] == timer()
		g.mu.Unlock()
		if !current {
			return
		}
		if habit.CustomizationFails {
			spec = nil
		}
		changes := awake(&vm.VirtualMachine, g.addresses(vm, spec, habit))
		if first {
			changes = append(changes, customized(&vm.VirtualMachine, spec)...)
		}
		ctx.Update(vm, changes)
	})
}

// addresses answers those of each card: the spec's fixed ones, else from DHCP.
func (g *guests) addresses(vm *simulator.VirtualMachine, spec *types.CustomizationSpec, habit Habit) [][]string {
	result := make([][]string, len(vm.Guest.Net))
	for i := range result {
		address := ""
		if spec != nil && i < len(spec.NicSettingMap) {
			if fixed, ok := spec.NicSettingMap[i].Adapter.Ip.(*types.CustomizationFixedIp); ok {
				address = fixed.IpAddress
			}
		}
		if address == "" {
			address = g.leases.lease(vm.Self.Value, i)
		}
		result[i] = []string{address}
	}
	if habit.Address != "" && len(result) > 0 {
		result[0] = append([]string{habit.Address}, result[0]...)
	}
	return result
}

// stop ends the boot that is under way and every process of the guest.
func (g *guests) stop(ref types.ManagedObjectReference) {
	g.mu.Lock()
	if timer := g.boots[ref]; timer != nil {
		timer.Stop()
		delete(g.boots, ref)
	}
	g.mu.Unlock()
	g.programs.stop(ref)
}

// forget is told that the machine is gone.
func (g *guests) forget(ref types.ManagedObjectReference) {
	g.stop(ref)
	g.mu.Lock()
	delete(g.fixed, ref)
	g.mu.Unlock()
	g.leases.release(ref.Value)
	g.programs.forget(ref)
}
