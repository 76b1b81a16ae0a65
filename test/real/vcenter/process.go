package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// guestInit is the argument with which this program becomes the first process of a guest's namespaces; see confine.go.
const guestInit = "guest-init"

// guestPath is the PATH of a guest program that brings no environment of its own.
const guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// confinement is what guest-init reads from its standard input.
type confinement struct {
	Dir     string   `json:"dir"`
	Host    string   `json:"host"`
	Command string   `json:"command"`
	Cwd     string   `json:"cwd"`
	Env     []string `json:"env"`
}

// process is one program of a guest. Its pid is the host's, so that it is unique among all guests.
type process struct {
	pid      int64
	name     string
	owner    string
	command  string
	started  time.Time
	ended    time.Time
	exitCode int32

	init   *exec.Cmd
	result *os.File
	// done is closed when ended and exitCode are set.
	done chan struct{}
}

// startProcess runs a program as VMware Tools does on Linux: the quoted path and the arguments, as one line, by `bash -c`. Variables
// of the spec are the whole environment (StartProgramInGuest, GuestProgramSpec.envVariables).
func startProcess(dir, host, user string, spec *types.GuestProgramSpec) (*process, error) {
	if !exists(dir, spec.ProgramPath) {
		return nil, fs.ErrNotExist
	}
	cwd := spec.WorkingDirectory
	if cwd == "" {
		cwd = "/tmp"
	}
	env := spec.EnvVariables
	if len(env) == 0 {
		env = []string{"PATH=" + guestPath, "HOME=/tmp", "USER=" + user, "LOGNAME=" + user, "SHELL=/bin/bash"}
	}
	command := strings.TrimRight(fmt.Sprintf(`"%s" %s`, spec.ProgramPath, spec.Arguments), " ")

	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	init := exec.Command(self, guestInit)
	init.Env = []string{}
	init.SysProcAttr = namespaces()
	if init.Stderr, err = os.CreateTemp(filepath.Join(dir, "log"), "program-"); err != nil {
		return nil, err
	}
	defer init.Stderr.(*os.File).Close()
	init.Stdout = init.Stderr
	input, err := json.Marshal(confinement{dir, host, command, cwd, env})
	if err != nil {
		return nil, err
	}
	init.Stdin = strings.NewReader(string(input))
	result, childsResult, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	init.ExtraFiles = []*os.File{childsResult}
	err = init.Start()
	_ = childsResult.Close()
	if err != nil {
		_ = result.Close()
		return nil, err
	}
	return &process{
		pid:     int64(init.Process.Pid),
		name:    path.Base(spec.ProgramPath),
		owner:   user,
		command: command,
		started: time.Now(),
		init:    init,
		result:  result,
		done:    make(chan struct{}),
	}, nil
}

// exists says whether the guest has that program, in its own folders or in the host's.
func exists(dir, program string) bool {
	for _, folder := range guestFolders {
		if inside, found := strings.CutPrefix(path.Clean(program), folder.guest+"/"); found {
			program = filepath.Join(dir, folder.home, inside)
			break
		}
	}
	info, err := os.Stat(program)
	return err == nil && info.Mode().IsRegular()
}

// wait answers the exit code when the program ends; what it left running in the background goes on. 137 when it was killed.
func (p *process) wait() int32 {
	defer p.result.Close()
	go func() { _ = p.init.Wait() }()
	text := make([]byte, 16)
	n, _ := p.result.Read(text)
	code, err := strconv.Atoi(string(text[:n]))
	if err != nil {
		return 128 + int32(syscall.SIGKILL)
	}
	return int32(code)
}

// kill ends the first process of the namespace, and with it, by the kernel, all others in it.
func (p *process) kill() { _ = p.init.Process.Kill() }

func (p *process) info() types.GuestProcessInfo {
	info := types.GuestProcessInfo{
		Name:      p.name,
		Pid:       p.pid,
		Owner:     p.owner,
		CmdLine:   p.command,
		StartTime: p.started,
	}
	if !p.ended.IsZero() {
		info.EndTime, info.ExitCode = &p.ended, p.exitCode
	}
	return info
}
