package main

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// leases is a DHCP range: a machine's card keeps its address until the machine is gone.
type leases struct {
	first, last netip.Addr

	mu    sync.Mutex
	taken map[netip.Addr]string
}

func newLeases(text string) (*leases, error) {
	from, to, _ := strings.Cut(text, "-")
	first, err := netip.ParseAddr(from)
	if err != nil {
		return nil, fmt.Errorf("-dhcp %q: %w", text, err)
	}
	last, err := netip.ParseAddr(to)
	if err != nil {
		return nil, fmt.Errorf("-dhcp %q: %w", text, err)
	}
	return &leases{first: first, last: last, taken: make(map[netip.Addr]string)}, nil
}

// lease answers the card's address, or an IPv4 link-local one when the range is used up, as a client without a server takes.
func (l *leases) lease(machine string, card int) string {
	owner := fmt.Sprintf("%s/%d", machine, card)
	l.mu.Lock()
	defer l.mu.Unlock()
	var free netip.Addr
	for a := l.first; a.Compare(l.last) <= 0; a = a.Next() {
		switch by, taken := l.taken[a]; {
		case taken && by == owner:
			return a.String()
		case !taken && !free.IsValid():
			free = a
		}
	}
	if !free.IsValid() {
		return "169.254.1.1"
	}
	l.taken[free] = owner
	return free.String()
}

func (l *leases) release(machine string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for address, owner := range l.taken {
		if strings.HasPrefix(owner, machine+"/") {
			delete(l.taken, address)
		}
	}
}
