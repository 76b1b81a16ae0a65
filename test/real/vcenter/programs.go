package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// programs are the processes of all guests, one home a machine.
type programs struct {
	estate   *estate
	root     string
	user     string
	password string
	exitKept time.Duration
	minute   time.Duration

	mu    sync.Mutex
	homes map[types.ManagedObjectReference]*home
}

// home is a machine's own part of the file system and the processes that run in it.
type home struct {
	dir       string
	power     *os.File
	processes map[int64]*process
	// shutdown is the one that the guest has ordered for later, if any.
	shutdown *time.Timer
}

func newPrograms(e *estate, o options) *programs {
	return &programs{
		estate:   e,
		root:     o.data,
		user:     o.guestUser,
		password: o.guestPassword,
		exitKept: o.exitKept,
		minute:   o.minute,
		homes:    make(map[types.ManagedObjectReference]*home),
	}
}

// admit answers the machine when guest operations are possible in it with these credentials, in the order in which vCenter checks.
func (p *programs) admit(ctx *simulator.Context, ref types.ManagedObjectReference, auth types.BaseGuestAuthentication,
) (*simulator.VirtualMachine, types.BaseMethodFault) {
	vm, ok := ctx.Map.Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: ref}
	}
	var state types.VirtualMachinePowerState
	var ready bool
	ctx.WithLock(vm, func() {
		state = vm.Runtime.PowerState
		ready = vm.Guest.GuestOperationsReady != nil && *vm.Guest.GuestOperationsReady
	})
	if state != types.VirtualMachinePowerStatePoweredOn {
		return nil, &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOn,
			ExistingState:  state,
		}
	}
	if !ready {
		return nil, new(types.GuestOperationsUnavailable)
	}
	login, ok := auth.(*types.NamePasswordAuthentication)
	if !ok || login.Username != p.user || login.Password != p.password {
		return nil, new(types.InvalidGuestLogin)
	}
	return vm, nil
}

// home answers the machine's folders, made at their first use. With p.mu held.
func (p *programs) home(ref types.ManagedObjectReference) (*home, error) {
	if h := p.homes[ref]; h != nil {
		return h, nil
	}
	dir := filepath.Join(p.root, ref.Value)
	power, err := furnish(dir)
	if err != nil {
		return nil, err
	}
	h := &home{dir: dir, power: power, processes: make(map[int64]*process)}
	p.homes[ref] = h
	go p.watch(ref, h)
	return h, nil
}

// watch switches the simulated machine off when a stand-in of its guest asks for it: the last order holds. It ends with the pipe.
func (p *programs) watch(ref types.ManagedObjectReference, h *home) {
	for orders := bufio.NewScanner(h.power); orders.Scan(); {
		minutes, err := strconv.Atoi(orders.Text())
		p.mu.Lock()
		h.cancelShutdown()
		if err == nil {
			h.shutdown = time.AfterFunc(time.Duration(minutes)*p.minute, func() { p.estate.guestShutdown(ref) })
		}
		p.mu.Unlock()
	}
}

func (h *home) cancelShutdown() {
	if h.shutdown != nil {
		h.shutdown.Stop()
		h.shutdown = nil
	}
}

// start runs a program in the machine's guest and answers its pid.
func (p *programs) start(vm mo.Reference, name string, spec *types.GuestProgramSpec) (int64, error) {
	ref := vm.Reference()
	p.mu.Lock()
	defer p.mu.Unlock()
	h, err := p.home(ref)
	if err != nil {
		return 0, err
	}
	process, err := startProcess(h.dir, name, p.user, spec)
	if err != nil {
		return 0, err
	}
	h.processes[process.pid] = process
	go func() {
		code := process.wait()
		p.mu.Lock()
		process.ended, process.exitCode = time.Now(), code
		close(process.done)
		p.mu.Unlock()
		time.AfterFunc(p.exitKept, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if h.processes[process.pid] == process {
				delete(h.processes, process.pid)
			}
		})
	}()
	return process.pid, nil
}

// list answers what is known of these processes, or of all when none is named. Unknown ones are left out.
func (p *programs) list(ref types.ManagedObjectReference, pids []int64) []types.GuestProcessInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.homes[ref]
	if h == nil {
		return nil
	}
	var infos []types.GuestProcessInfo
	if len(pids) == 0 {
		for _, process := range h.processes {
			infos = append(infos, process.info())
		}
	}
	for _, pid := range pids {
		if process := h.processes[pid]; process != nil {
			infos = append(infos, process.info())
		}
	}
	return infos
}

// terminate kills one process; false when there is none of that pid.
func (p *programs) terminate(ref types.ManagedObjectReference, pid int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.homes[ref]; h != nil && h.processes[pid] != nil {
		h.processes[pid].kill()
		return true
	}
	return false
}

// stop kills all processes of the machine and forgets them and the shutdown that it waits for, as a power-off does.
func (p *programs) stop(ref types.ManagedObjectReference) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.homes[ref]; h != nil {
		h.cancelShutdown()
		for pid, process := range h.processes {
			process.kill()
			delete(h.processes, pid)
		}
	}
}

// forget removes the machine's folders.
func (p *programs) forget(ref types.ManagedObjectReference) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.homes[ref]; h != nil {
		_ = h.power.Close()
		_ = os.RemoveAll(h.dir)
		delete(p.homes, ref)
	}
}

// close ends every process of every guest.
func (p *programs) close() {
	p.mu.Lock()
	refs := make([]types.ManagedObjectReference, 0, len(p.homes))
	for ref := range p.homes {
		refs = append(refs, ref)
	}
	p.mu.Unlock()
	for _, ref := range refs {
		p.stop(ref)
		p.forget(ref)
	}
}

// running counts the processes of the machine that have not ended.
func (p *programs) running(machine string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	if h := p.homes[types.ManagedObjectReference{Type: "VirtualMachine", Value: machine}]; h != nil {
		for _, process := range h.processes {
			if process.ended.IsZero() {
				count++
			}
		}
	}
	return count
}
