package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/guest"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (s *stand) bootedMachine(name string) *object.VirtualMachine {
	s.Helper()
	vm := s.hatch(name)
	s.untilReady(vm)
	return vm
}

func (s *stand) download(vm *object.VirtualMachine, path string) string {
	s.Helper()
	files, err := guest.NewOperationsManager(s.client.Client, vm.Reference()).FileManager(s.ctx)
	s.ok(err)
	info, err := files.InitiateFileTransferFromGuest(s.ctx, guestLogin, path)
	s.ok(err)
	address, err := files.TransferURL(s.ctx, info.Url)
	s.ok(err)
	reader, size, err := s.client.Client.Download(s.ctx, address, &soap.DefaultDownload)
	s.ok(err)
	defer reader.Close()
	text, err := io.ReadAll(reader)
	s.ok(err)
	if int64(len(text)) != size || size != info.Size {
		s.Fatalf("%d bytes, %d announced, %d sent", len(text), info.Size, size)
	}
	return string(text)
}

func TestGuestProgramRunsThroughBashAndItsExitCodeIsKept(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	pid := s.run(vm, `echo "$GREETING $PATH_SEEN" > /tmp/out; exit 7`, "GREETING=hello", "PATH_SEEN=yes")
	info := s.exit(vm, pid)
	if info.ExitCode != 7 || info.Owner != "worker" || info.Name != "echo" {
		t.Fatalf("%+v", info)
	}
	if got := s.download(vm, "/tmp/out"); got != "hello yes\n" {
		t.Fatalf("file %q", got)
	}
	if infos, err := s.processes(vm).ListProcesses(s.ctx, guestLogin, []int64{1}); err != nil || len(infos) != 0 {
		t.Fatalf("%v %v", infos, err)
	}
}

func TestVariablesOfAProgramAreItsWholeEnvironment(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	s.exit(vm, s.run(vm, `env > /tmp/with`, "CDS_CONFIG=x"))
	s.exit(vm, s.run(vm, `env > /tmp/without`))
	if got := s.download(vm, "/tmp/with"); !strings.Contains(got, "CDS_CONFIG=x\n") || strings.Contains(got, "HOME=") {
		t.Errorf("with variables: %q", got)
	}
	if got := s.download(vm, "/tmp/without"); !strings.Contains(got, "USER=worker\n") {
		t.Errorf("without: %q", got)
	}
}

func TestAnEndedProcessIsForgottenAfterItsTime(t *testing.T) {
	s := newStand(t, func(o *options) { o.exitKept = 300 * time.Millisecond })
	vm := s.bootedMachine("a")
	pid := s.run(vm, "true")
	s.exit(vm, pid)
	for {
		infos, err := s.processes(vm).ListProcesses(s.ctx, guestLogin, []int64{pid})
		s.ok(err)
		if len(infos) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestGuestOperationsAreRefusedWhereTheyCannotWork(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	spec := &types.GuestProgramSpec{ProgramPath: "/bin/true"}
	expect := func(auth *types.NamePasswordAuthentication, spec *types.GuestProgramSpec, want types.BaseMethodFault) {
		t.Helper()
		_, err := s.processes(vm).StartProgram(s.ctx, auth, spec)
		if !fault.Is(err, want) {
			t.Errorf("%v where %T was expected", err, want)
		}
	}
	expect(&types.NamePasswordAuthentication{Username: "worker", Password: "no"}, spec, new(types.InvalidGuestLogin))
	expect(guestLogin, &types.GuestProgramSpec{ProgramPath: "/no/such"}, new(types.FileNotFound))
	s.order("POST", "/habits", Habit{Match: "a", NeverReady: true}, nil)
	s.ok(finished(vm.PowerOff(s.ctx)))
	expect(guestLogin, spec, new(types.InvalidPowerState))
	s.ok(finished(vm.PowerOn(s.ctx)))
	expect(guestLogin, spec, new(types.GuestOperationsUnavailable))
}

// hostPrograms are the ways by which a script could ask the host to go down; each must end at the simulated machine.
var hostPrograms = []string{
	"sudo shutdown -h now", "shutdown -h now", "/sbin/shutdown now", "/usr/sbin/poweroff", "sudo -n -u root poweroff",
	"/sbin/halt", "systemctl poweroff", "/bin/systemctl --force reboot", "env -i /bin/sh -c 'sudo poweroff'",
}

func TestEveryWayToShutDownSwitchesOffTheSimulatedMachineAlone(t *testing.T) {
	s := newStand(t, nil)
	vm, other := s.bootedMachine("a"), s.bootedMachine("b")
	for _, command := range hostPrograms {
		if program := strings.Fields(command)[0]; strings.HasPrefix(program, "/") {
			if _, err := os.Stat(program); err != nil {
				continue
			}
		}
		s.run(vm, command+"; sleep 60")
		s.untilPower(vm, types.VirtualMachinePowerStatePoweredOff)
		s.ok(finished(vm.PowerOn(s.ctx)))
		s.untilReady(vm)
	}
	s.ok(finished(vm.PowerOff(s.ctx)))
	if got := s.read(other).Runtime.PowerState; got != types.VirtualMachinePowerStatePoweredOn {
		t.Fatalf("the other machine is %s", got)
	}
}

func TestAShutdownInMinutesLeavesTheMachineOnUntilThenUnlessAnotherComesBefore(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	if info := s.exit(vm, s.run(vm, "sudo shutdown -h +2; sleep 0.3; exit 3")); info.ExitCode != 3 {
		t.Errorf("exit code %d", info.ExitCode)
	}
	s.run(vm, "shutdown -h now; sleep 60")
	s.untilPower(vm, types.VirtualMachinePowerStatePoweredOff)

	quick := newStand(t, func(o *options) { o.minute = time.Millisecond })
	vm = quick.bootedMachine("a")
	quick.run(vm, "sudo shutdown -h +2")
	quick.untilPower(vm, types.VirtualMachinePowerStatePoweredOff)
}

func TestAShutdownThatIsCancelledOrOvertakenByAPowerOffDoesNotCome(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	programs := s.server.estate.guests.programs
	pending := func() bool {
		programs.mu.Lock()
		defer programs.mu.Unlock()
		return programs.homes[vm.Reference()].shutdown != nil
	}
	until := func(want bool) {
		t.Helper()
		for pending() != want {
			if s.ctx.Err() != nil {
				t.Fatalf("a shutdown waits: %v", !want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.run(vm, "shutdown +2")
	until(true)
	s.run(vm, "shutdown -c")
	until(false)
	s.run(vm, "shutdown")
	until(true)
	s.ok(finished(vm.PowerOff(s.ctx)))
	until(false)
}

func TestGuestCannotTouchTheHost(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	probe := t.TempDir() + "/probe"
	s.ok(os.WriteFile(probe, []byte("host"), 0o666))
	script := strings.Join([]string{
		"exec > /tmp/out 2>/dev/null",
		"(echo guest > " + probe + ") && echo wrote-host-tmp",
		"(echo guest > /etc/rookery-probe) && echo wrote-etc",
		"(echo b > /proc/sysrq-trigger) && echo sysrq",
		"umount /tmp && echo umount",
		"mount -o remount,rw / && echo remount",
		"test -e /run/systemd && echo systemd",
		"test -e /run/dbus && echo dbus",
		"test -e /dev/watchdog && echo watchdog",
		"kill -9 1 && test ! -d /proc/1 && echo killed-init",
		"echo done",
	}, "\n")
	s.exit(vm, s.run(vm, script))
	if got := s.download(vm, "/tmp/out"); got != "done\n" {
		t.Fatalf("the guest could: %q", got)
	}
	if text, _ := os.ReadFile(probe); string(text) != "host" {
		t.Fatalf("host file %q", text)
	}
}

func TestFoldersAreTheMachinesOwnAndOutliveAReboot(t *testing.T) {
	s := newStand(t, nil)
	one, two := s.bootedMachine("a"), s.bootedMachine("b")
	s.exit(one, s.run(one, `printf '#!/bin/sh\necho worker' > /usr/local/bin/worker; chmod +x /usr/local/bin/worker`))
	s.exit(two, s.run(two, `command -v worker > /tmp/out; true`))
	if got := s.download(two, "/tmp/out"); got != "" {
		t.Errorf("the other machine has %q", got)
	}
	s.ok(finished(one.PowerOff(s.ctx)))
	s.ok(finished(one.PowerOn(s.ctx)))
	s.untilReady(one)
	s.exit(one, s.run(one, `worker > /tmp/out`))
	if got := s.download(one, "/tmp/out"); got != "worker\n" {
		t.Errorf("after the reboot: %q", got)
	}
}

func TestPowerOffAndDestroyEndTheProcesses(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	programs := s.server.estate.guests.programs
	pid := s.run(vm, "sleep 600 & sleep 600")
	process := programs.homes[vm.Reference()].processes[pid]
	s.ok(finished(vm.PowerOff(s.ctx)))
	select {
	case <-process.done:
		if process.exitCode != 137 {
			t.Errorf("exit code %d", process.exitCode)
		}
	case <-s.ctx.Done():
		t.Fatal("the program goes on")
	}
	dir := programs.homes[vm.Reference()].dir
	s.ok(finished(vm.Destroy(s.ctx)))
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the machine's folder is left: %v", err)
	}
}

func TestAProgramLeftInTheBackgroundGoesOn(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	info := s.exit(vm, s.run(vm, "(sleep 0.3; echo late > /tmp/late) & exit 3"))
	if info.ExitCode != 3 {
		t.Fatalf("exit code %d", info.ExitCode)
	}
	s.exit(vm, s.run(vm, "until test -s /tmp/late; do sleep 0.05; done"))
	if got := s.download(vm, "/tmp/late"); got != "late\n" {
		t.Fatalf("file %q", got)
	}
}

func TestFilesOutsideTheGuestsFoldersAreNotHandedOut(t *testing.T) {
	s := newStand(t, nil)
	vm := s.bootedMachine("a")
	s.exit(vm, s.run(vm, "ln -s /etc/passwd /tmp/link"))
	files, err := guest.NewOperationsManager(s.client.Client, vm.Reference()).FileManager(s.ctx)
	s.ok(err)
	for _, path := range []string{"/etc/passwd", "/tmp/../etc/passwd", "/tmp/link", "/tmp/none"} {
		if _, err := files.InitiateFileTransferFromGuest(s.ctx, guestLogin, path); !fault.Is(err, new(types.FileNotFound)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
