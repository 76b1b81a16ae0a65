package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// options says what estate is built and how its guests behave. Every field is a flag of the program.
type options struct {
	listen        string
	control       string
	tls           bool
	user          string
	password      string
	datacenter    string
	templates     templateList
	networks      stringList
	portgroups    int
	foreign       int
	poolCPU       int64
	poolMemory    int64
	boot          time.Duration
	dhcp          string
	guestUser     string
	guestPassword string
	exitKept      time.Duration
	minute        time.Duration
	tasksKept     time.Duration
	data          string
	dieWithParent bool
}

// template is one `-template` flag: a machine marked as template, with one disk and a snapshot.
type template struct {
	name     string
	cpus     int32
	memoryMB int64
	nics     int
}

type templateList []template

func (l *templateList) String() string { return fmt.Sprint(*l) }

// Set reads name[,cpus[,memoryMB[,nics]]].
func (l *templateList) Set(text string) error {
	parts := strings.Split(text, ",")
	numbers := []int{2, 2048, 1}
	if parts[0] == "" || len(parts) > len(numbers)+1 {
		return fmt.Errorf("%q is not name,cpus,memoryMB,nics", text)
	}
	for i, part := range parts[1:] {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return fmt.Errorf("%q in %q is not a number", part, text)
		}
		numbers[i] = n
	}
	*l = append(*l, template{parts[0], int32(numbers[0]), int64(numbers[1]), numbers[2]})
	return nil
}

type stringList []string

func (l *stringList) String() string { return strings.Join(*l, ",") }

func (l *stringList) Set(text string) error {
	*l = append(*l, text)
	return nil
}

// defaults is the estate of the tests: one template, no foreign machines, a guest that boots at once.
func defaults() options {
	return options{
		listen:        "127.0.0.1:0",
		control:       "127.0.0.1:0",
		user:          "rookery@vsphere.local",
		password:      "secret",
		datacenter:    "DC0",
		poolCPU:       200_000,
		poolMemory:    1 << 20,
		boot:          200 * time.Millisecond,
		dhcp:          "192.168.77.10-192.168.79.250",
		guestUser:     "worker",
		guestPassword: "worker",
		exitKept:      5 * time.Minute,
		minute:        time.Minute,
		tasksKept:     10 * time.Minute,
	}
}

func parseOptions(arguments []string) (options, error) {
	o := defaults()
	f := flag.NewFlagSet("vcenter", flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", o.listen, "address of the vCenter (loopback)")
	f.StringVar(&o.control, "control", o.control, "loopback address of the control port")
	f.BoolVar(&o.tls, "tls", o.tls, "serve https with a self-signed certificate")
	f.StringVar(&o.user, "user", o.user, "the account that may log in")
	f.StringVar(&o.password, "password", o.password, "its password")
	f.StringVar(&o.datacenter, "datacenter", o.datacenter, "name of the datacenter")
	f.Var(&o.templates, "template", "name,cpus,memoryMB,nics of a template (repeatable; default debian12)")
	f.Var(&o.networks, "network", "one more standard network beside \"VM Network\" (repeatable)")
	f.IntVar(&o.portgroups, "portgroups", o.portgroups, "number of distributed portgroups")
	f.IntVar(&o.foreign, "foreign", o.foreign, "number of running machines that belong to somebody else")
	f.Int64Var(&o.poolCPU, "pool-cpu", o.poolCPU, "size of the resource pool in MHz")
	f.Int64Var(&o.poolMemory, "pool-memory", o.poolMemory, "size of the resource pool in MiB")
	f.DurationVar(&o.boot, "boot", o.boot, "time from power-on to a guest that is ready")
	f.StringVar(&o.dhcp, "dhcp", o.dhcp, "first-last address of the DHCP range")
	f.StringVar(&o.guestUser, "guest-user", o.guestUser, "user of the guests")
	f.StringVar(&o.guestPassword, "guest-password", o.guestPassword, "password of the guests")
	f.DurationVar(&o.exitKept, "exit-kept", o.exitKept, "how long an ended guest process is listed")
	f.DurationVar(&o.minute, "minute", o.minute, "how long a minute of a guest's \"shutdown +m\" takes")
	f.DurationVar(&o.tasksKept, "tasks-kept", o.tasksKept, "how long a task that has ended is listed")
	f.StringVar(&o.data, "data", o.data, "folder of the machines' files (default: a temporary one, removed at the end)")
	f.BoolVar(&o.dieWithParent, "die-with-parent", o.dieWithParent, "end when standard input closes")
	err := f.Parse(arguments)
	if len(o.templates) == 0 {
		_ = o.templates.Set("debian12")
	}
	if err == nil {
		err = onLoopback(o.control)
	}
	return o, err
}
