//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// Numbers that package syscall lacks; the same on every architecture that Go's linux ports share them with.
const (
	sysMountSetattr  = 442
	atFdcwd          = -100
	atRecursive      = 0x8000
	mountReadOnly    = 0x1
	prCapbsetDrop    = 24
	prSetNoNewPrivs  = 38
	lastCapability   = 63
	capabilitiesKept = 1<<0 | 1<<1 | 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<10
)

// namespaces are those of a guest process: mounts, processes and host name of its own; where this program is not root, also users.
// The network is the host's: the worker reaches CDS on loopback. When this program dies, so does the guest process.
func namespaces() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	if os.Geteuid() != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attributes
}

// runGuestInit is the first process of a guest's namespaces. It closes the host off, runs the program, writes its exit code to
// descriptor 3 and goes on until nothing is left of it.
func runGuestInit() {
	runtime.LockOSThread()
	result := os.NewFile(3, "result")
	syscall.CloseOnExec(3)
	var c confinement
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "guest:", err)
		_, _ = result.WriteString("126")
		os.Exit(126)
	}
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		fail(err)
	}
	if err := confine(c); err != nil {
		fail(err)
	}
	bash := exec.Command("/bin/bash", "-c", c.Command)
	bash.Args[0] = "bash"
	bash.Dir, bash.Env, bash.Stdout, bash.Stderr = c.Cwd, c.Env, os.Stdout, os.Stderr
	bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := bash.Start(); err != nil {
		fail(err)
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			os.Exit(0)
		case pid == bash.Process.Pid:
			code := status.ExitStatus()
			if status.Signaled() {
				code = 128 + int(status.Signal())
			}
			_, _ = result.WriteString(strconv.Itoa(code))
			_ = result.Close()
		}
	}
}

// confine leaves the guest no way to change the host, let alone to switch it off: every file system is read-only except the
// machine's own folders; /run with the sockets of the host's init is the machine's own, and so is /dev, without watchdog and disks;
// the host's programs for it are covered by stand-ins; the capabilities for it are gone for good; and the kernel confines reboot(2)
// to the process namespace.
func confine(c confinement) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	// Refused where /proc is partly covered, as in some containers; the host's processes are then visible, though not reachable.
	_ = syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
	if err := setReadOnly("/", true, atRecursive); err != nil {
		return fmt.Errorf("read-only file systems: %w", err)
	}
	if err := harmlessDevices(filepath.Join(c.Dir, "dev")); err != nil {
		return err
	}
	if err := coverPrograms(filepath.Join(c.Dir, "sbin")); err != nil {
		return err
	}
	// /tmp comes last, for the machine's folders may lie below it.
	for _, folder := range []struct {
		home, guest string
		writable    bool
	}{
		{"sbin", "/usr/local/sbin", false},
		{"bin", "/usr/local/bin", true},
		{"run", "/run", false},
		{"tmp", "/var/tmp", true},
		{"tmp", "/tmp", true},
	} {
		if err := bind(filepath.Join(c.Dir, folder.home), folder.guest); err != nil {
			return err
		}
		if folder.writable {
			if err := setReadOnly(folder.guest, false, 0); err != nil {
				return fmt.Errorf("%s: %w", folder.guest, err)
			}
		}
	}
	if c.Host != "" {
		if err := syscall.Sethostname([]byte(c.Host)); err != nil {
			return fmt.Errorf("host name: %w", err)
		}
	}
	return dropCapabilities()
}

// harmlessDevices makes a /dev of the few nodes that programs need. It is put together aside, since the nodes come from the old one.
func harmlessDevices(aside string) error {
	if err := syscall.Mount("tmpfs", aside, "tmpfs", syscall.MS_NOSUID, "mode=0755,size=64m"); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		node := filepath.Join(aside, name)
		if err := os.WriteFile(node, nil, 0o666); err != nil {
			return err
		}
		if err := bind(filepath.Join("/dev", name), node); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(aside, name)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(aside, "shm"), 0o777); err != nil {
		return err
	}
	if err := syscall.Mount(aside, "/dev", "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("/dev: %w", err)
	}
	return nil
}

// coverPrograms puts a stand-in over each program of the host that has its name, at the file that the name leads to.
func coverPrograms(sbin string) error {
	covered := make(map[string]bool)
	for name := range standIns {
		for _, folder := range []string{"/sbin", "/usr/sbin", "/bin", "/usr/bin"} {
			file, err := filepath.EvalSymlinks(filepath.Join(folder, name))
			if err != nil || covered[file] {
				continue
			}
			covered[file] = true
			if err := bind(filepath.Join(sbin, name), file); err != nil {
				return err
			}
		}
	}
	return nil
}

func bind(source, target string) error {
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("%s over %s: %w", source, target, err)
	}
	return nil
}

func setReadOnly(target string, on bool, flags uintptr) error {
	attributes := struct{ set, clear, propagation, userns uint64 }{}
	if on {
		attributes.set = mountReadOnly
	} else {
		attributes.clear = mountReadOnly
	}
	path, err := syscall.BytePtrFromString(target)
	if err != nil {
		return err
	}
	at := atFdcwd
	_, _, errno := syscall.Syscall6(sysMountSetattr, uintptr(at), uintptr(unsafe.Pointer(path)), flags,
		uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// dropCapabilities takes from this thread's children, for good, all but what a user's scripts need (file ownership, signals, changing
// user, low ports): no mounting, no rebooting, no modules, no tracing.
func dropCapabilities() error {
	for c := uintptr(0); c <= lastCapability; c++ {
		if capabilitiesKept&(1<<c) != 0 {
			continue
		}
		_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prCapbsetDrop, c, 0)
		if errno == syscall.EINVAL {
			break
		}
		if errno != 0 {
			return fmt.Errorf("capability %d: %w", c, errno)
		}
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0); errno != 0 {
		return fmt.Errorf("no new privileges: %w", errno)
	}
	return nil
}
