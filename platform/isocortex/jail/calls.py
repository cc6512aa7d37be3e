"""Which system calls a jailed process may make, on the two machines whose numbers are known.

What Python, numpy, safetensors, PyTorch and onnxruntime need to import and to run a network was
found by tracing them; whatever is not listed fails with EPERM, and what no model can need by
mistake ends the process.
"""

from typing import Final, Literal

Machine = Literal["x86_64", "aarch64"]

AUDIT_NUMBERS: Final[dict[Machine, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""How the kernel names the calling convention; the bits say 64-bit and little-endian."""

NUMBERS: Final[dict[Machine, dict[str, int]]] = {
    "x86_64": {
        "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7,
        "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
        "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "readv": 19,
        "writev": 20, "access": 21, "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28,
        "dup": 32, "nanosleep": 35, "getpid": 39, "clone": 56, "fork": 57, "vfork": 58,
        "execve": 59, "exit": 60, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89,
        "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100,
        "ptrace": 101, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
        "getppid": 110, "capset": 126, "sigaltstack": 131, "personality": 135, "pivot_root": 155,
        "prctl": 157, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165,
        "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "init_module": 175,
        "delete_module": 176, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204,
        "getdents64": 217, "restart_syscall": 219, "fadvise64": 221, "clock_settime": 227,
        "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
        "tgkill": 234, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
        "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270,
        "ppoll": 271, "unshare": 272, "set_robust_list": 273, "perf_event_open": 298,
        "prlimit64": 302, "open_by_handle_at": 304, "setns": 308, "getcpu": 309,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "seccomp": 317, "getrandom": 318, "kexec_file_load": 320, "bpf": 321, "execveat": 322,
        "userfaultfd": 323, "statx": 332, "rseq": 334,
    },
    "aarch64": {
        "getcwd": 17, "dup": 23, "fcntl": 25, "ioctl": 29, "umount2": 39, "mount": 40,
        "pivot_root": 41, "faccessat": 48, "chroot": 51, "openat": 56, "close": 57,
        "getdents64": 61, "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66,
        "pread64": 67, "pselect6": 72, "ppoll": 73, "readlinkat": 78, "newfstatat": 79,
        "fstat": 80, "acct": 89, "capset": 91, "personality": 92, "exit": 93, "exit_group": 94,
        "unshare": 97, "futex": 98, "set_robust_list": 99, "nanosleep": 101, "kexec_load": 104,
        "init_module": 105, "delete_module": 106, "clock_settime": 112, "clock_gettime": 113,
        "clock_getres": 114, "clock_nanosleep": 115, "ptrace": 117, "sched_getaffinity": 123,
        "sched_yield": 124, "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "reboot": 142,
        "times": 153, "uname": 160, "getrlimit": 163, "getrusage": 165, "prctl": 167,
        "getcpu": 168, "gettimeofday": 169, "settimeofday": 170, "getpid": 172, "getppid": 173,
        "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178,
        "sysinfo": 179, "brk": 214, "munmap": 215, "mremap": 216, "add_key": 217,
        "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221, "mmap": 222,
        "fadvise64": 223, "swapon": 224, "swapoff": 225, "mprotect": 226, "madvise": 233,
        "perf_event_open": 241, "prlimit64": 261, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
        "seccomp": 277, "getrandom": 278, "bpf": 280, "execveat": 281, "userfaultfd": 282,
        "statx": 291, "rseq": 293, "kexec_file_load": 294,
    },
}  # fmt: skip
"""Numbers below 424 differ between machines; those above are the same everywhere."""

COMMON: Final = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
    "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437, "pidfd_getfd": 438,
    "faccessat2": 439, "process_madvise": 440, "mount_setattr": 442,
    "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
}  # fmt: skip
"""Numbers that are the same on every machine."""

ALLOWED: Final = (
    # read what is open or what Landlock lets be opened; look at names
    "read", "readv", "pread64", "lseek", "close", "fstat", "stat", "lstat", "newfstatat", "statx",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "dup",
    "fadvise64", "poll", "ppoll", "select", "pselect6",
    # answer through the pipe
    "write", "writev",
    # memory, also to be run: PyTorch's convolutions (oneDNN) write machine code and then run it
    "mmap", "mprotect", "munmap", "mremap", "madvise", "brk",
    # threads of this process
    "futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "getcpu", "exit",
    "exit_group", "restart_syscall",
    # signals to itself
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    # who, when, how much
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrusage",
    "getrlimit", "times", "time", "gettimeofday", "clock_gettime", "clock_getres",
    "clock_nanosleep", "nanosleep", "sysinfo", "uname", "getrandom",
)  # fmt: skip
"""Free of conditions. `filters.py` adds those that hang on their arguments."""

ABSENT: Final = ("clone3", "openat2")
"""Answered ENOSYS: their arguments lie in memory, where a filter cannot look; libraries then use
the older call, whose arguments it can see."""

FATAL: Final = (
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "kcmp", "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "unshare",
    "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen",
    "fsmount", "mount_setattr", "open_by_handle_at", "bpf", "perf_event_open", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
    "personality", "init_module", "finit_module", "delete_module", "kexec_load",
    "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "settimeofday", "clock_settime",
    "capset",
)  # fmt: skip
"""Nothing that runs a network makes these by mistake: the process is killed at the first."""


def number(machine: Machine, name: str) -> int | None:
    """The number of a system call on a machine, or None where it does not exist."""
    return NUMBERS[machine].get(name, COMMON.get(name))
