package main

import (
	"errors"
	"io/fs"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// unlocked opts out of the simulator's lock around each call of an object: these managers have locks of their own.
type unlocked struct{}

func (unlocked) Lock()   {}
func (unlocked) Unlock() {}

// processManager stands in the registry where the simulator's own GuestProcessManager was.
type processManager struct {
	mo.GuestProcessManager
	unlocked
	programs *programs
}

func (m *processManager) StartProgramInGuest(ctx *simulator.Context, req *types.StartProgramInGuest) soap.HasFault {
	body := new(methods.StartProgramInGuestBody)
	vm, fault := m.programs.admit(ctx, req.Vm, req.Auth)
	if fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	spec, ok := req.Spec.(*types.GuestProgramSpec)
	if !ok {
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "spec"})
		return body
	}
	var name string
	ctx.WithLock(vm, func() { name = vm.Guest.HostName })
	pid, err := m.programs.start(vm, name, spec)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		body.Fault_ = simulator.Fault("", &types.FileNotFound{FileFault: types.FileFault{File: spec.ProgramPath}})
	case err != nil:
		body.Fault_ = simulator.Fault(err.Error(), &types.SystemErrorFault{Reason: err.Error()})
	default:
		body.Res = &types.StartProgramInGuestResponse{Returnval: pid}
	}
	return body
}

func (m *processManager) ListProcessesInGuest(ctx *simulator.Context, req *types.ListProcessesInGuest) soap.HasFault {
	body := new(methods.ListProcessesInGuestBody)
	if _, fault := m.programs.admit(ctx, req.Vm, req.Auth); fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	body.Res = &types.ListProcessesInGuestResponse{Returnval: m.programs.list(req.Vm, req.Pids)}
	return body
}

func (m *processManager) TerminateProcessInGuest(
	ctx *simulator.Context, req *types.TerminateProcessInGuest,
) soap.HasFault {
	body := new(methods.TerminateProcessInGuestBody)
	if _, fault := m.programs.admit(ctx, req.Vm, req.Auth); fault != nil {
		body.Fault_ = simulator.Fault("", fault)
	} else if !m.programs.terminate(req.Vm, req.Pid) {
		body.Fault_ = simulator.Fault("", &types.GuestProcessNotFound{Pid: req.Pid})
	} else {
		body.Res = new(types.TerminateProcessInGuestResponse)
	}
	return body
}

// fileManager stands in the registry where the simulator's own GuestFileManager was.
type fileManager struct {
	mo.GuestFileManager
	unlocked
	programs *programs
	files    *files
}

func (m *fileManager) InitiateFileTransferFromGuest(
	ctx *simulator.Context, req *types.InitiateFileTransferFromGuest,
) soap.HasFault {
	body := new(methods.InitiateFileTransferFromGuestBody)
	if _, fault := m.programs.admit(ctx, req.Vm, req.Auth); fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	info, err := m.programs.stat(req.Vm, req.GuestFilePath)
	if err != nil {
		body.Fault_ = simulator.Fault("", &types.FileNotFound{FileFault: types.FileFault{File: req.GuestFilePath}})
		return body
	}
	modified := info.ModTime()
	body.Res = &types.InitiateFileTransferFromGuestResponse{Returnval: types.FileTransferInformation{
		Attributes: &types.GuestPosixFileAttributes{
			GuestFileAttributes: types.GuestFileAttributes{ModificationTime: &modified},
			Permissions:         int64(info.Mode().Perm()),
		},
		Size: info.Size(),
		Url:  m.files.offer(req.Vm, req.GuestFilePath),
	}}
	return body
}
