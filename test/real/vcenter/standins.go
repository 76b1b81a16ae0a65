package main

import (
	"os"
	"path/filepath"
	"syscall"
)

// powerScript is every stand-in that switches a machine off; it goes by the name it is called by. Restarting counts as switching
// off, because no guest here starts by itself. What it writes is read by programs.watch: in how many minutes the machine is to go off, or
// "cancel". Of the times that shutdown knows it takes `now` and `+m`, and as shutdown does, a minute where none is given.
const powerScript = `#!/bin/sh
case "${0##*/}" in
  systemctl)
    for word in "$@"; do
      case "$word" in poweroff | halt | reboot | kexec | soft-reboot | rescue | emergency | isolate) exec /bin/sh -c 'echo 0 > /run/power' ;; esac
    done
    exit 1 ;;
  init | telinit)
    case "$1" in 0 | 6) ;; *) exit 1 ;; esac ;;
  shutdown)
    minutes=1
    for word in "$@"; do
      case "$word" in
        --help | -k) exit 0 ;;
        -c) minutes=cancel && break ;;
        -*) ;;
        now) minutes=0 && break ;;
        +[0-9]*) minutes=${word#+} && break ;;
        *) exit 1 ;;
      esac
    done
    echo "$minutes" > /run/power
    exit ;;
esac
echo 0 > /run/power
`

// sudoScript runs its command: the guest's user may do everything already.
const sudoScript = `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    -u | -g | -h | -p | -C | -D | -R | -T) shift 2 || exit 1 ;;
    --) shift; break ;;
    -*) shift ;;
    *=*) export "$1"; shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || exit 0
exec "$@"
`

// standIns are the names that must never reach the host's program of that name.
var standIns = map[string]string{
	"shutdown":  powerScript,
	"poweroff":  powerScript,
	"halt":      powerScript,
	"reboot":    powerScript,
	"systemctl": powerScript,
	"init":      powerScript,
	"telinit":   powerScript,
	"sudo":      sudoScript,
}

// furnish makes a machine's folders with the stand-ins in them, and opens the pipe through which these speak. Stand-ins lie in
// both folders that a shell without PATH searches first.
func furnish(dir string) (*os.File, error) {
	for _, name := range []string{"bin", "sbin", "tmp", "run", "dev", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky); err != nil {
		return nil, err
	}
	for name, script := range standIns {
		for _, folder := range []string{"bin", "sbin"} {
			if err := os.WriteFile(filepath.Join(dir, folder, name), []byte(script), 0o755); err != nil {
				return nil, err
			}
		}
	}
	pipe := filepath.Join(dir, "run", "power")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		return nil, err
	}
	return os.OpenFile(pipe, os.O_RDWR, 0)
}
