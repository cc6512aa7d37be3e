"""What a stranger's code might try, each as the Python it would run.

Every attack sets `answer` to True when it got what it wanted. `decoy` names things made to be
attacked; `call(name, …)` makes a system call past all libraries. `free` says when it succeeds
without a jail: always, surely only for a root with all privileges (others may be kept from it by
a setting or a container), or never (because nobody may, or because trying it would do harm).
"""

from dataclasses import dataclass
from typing import Literal

PREAMBLE = """
import ctypes, os, mmap, signal, socket, struct, sys, time
decoy, numbers = request["decoy"], request["numbers"]
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    number = numbers[name] if isinstance(name, str) else name
    got = libc.syscall(ctypes.c_long(number), *wide)
    if got < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return got
def read(path):
    with open(path, "rb") as file:
        return file.read(4096)
"""


@dataclass(frozen=True)
class Attack:
    name: str
    source: str
    free: Literal["always", "root", "never"] = "always"


READING = (
    Attack("read_a_file", "answer = b'secret' in read(decoy['secret'])"),
    Attack("read_through_proc_root", """
answer = b'secret' in read('/proc/self/root' + decoy['secret'])
"""),
    Attack("read_through_a_link", "answer = b'secret' in read(decoy['link'])"),
    Attack("read_a_hard_link", "answer = b'secret' in read(decoy['hard'])"),
    Attack("read_the_checkout", """
answer = b'[project]' in read(decoy['checkout'] + '/pyproject.toml')
"""),
    Attack("read_the_tests", "answer = bool(read(decoy['checkout'] + '/tests/conftest.py'))"),
    Attack("read_the_users", "answer = b'root:' in read('/etc/passwd')"),
    Attack("read_the_passwords", "answer = b'root:' in read('/etc/shadow')", "root"),
    Attack("read_an_environment", """
answer = b'DECOY=' in read(f'/proc/{decoy["process"]}/environ')
"""),
    Attack("read_the_parents_environment", "answer = bool(read(f'/proc/{os.getppid()}/environ'))"),
    Attack("read_its_own_map", "answer = bool(read('/proc/self/maps'))"),
    Attack("read_the_memory_of_a_process", """
for line in read(f'/proc/{decoy["process"]}/maps').splitlines():
    if b"r--p" in line or b"rw-p" in line:
        file = os.open(f'/proc/{decoy["process"]}/mem', os.O_RDONLY)
        answer = len(os.pread(file, 16, int(line.split(b"-")[0], 16))) == 16
        break
""", "root"),
    Attack("list_the_root", "answer = 'etc' in os.listdir('/')"),
    Attack("list_a_home", "answer = isinstance(os.listdir(decoy['home']), list)"),
    Attack("list_the_parents_descriptors", "answer = bool(os.listdir(f'/proc/{os.getppid()}/fd'))"),
    Attack("list_processes", "answer = '1' in os.listdir('/proc')"),
    Attack("read_from_a_path_descriptor", """
folder = os.open(os.path.dirname(decoy['secret']), os.O_PATH)
answer = b'secret' in os.read(os.open(os.path.basename(decoy['secret']), 0, dir_fd=folder), 99)
"""),
    Attack("read_by_handle", """
handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128))
mount = ctypes.c_int()
got = libc.name_to_handle_at(-100, decoy['secret'].encode(), handle, ctypes.byref(mount), 0)
folder = os.open(os.path.dirname(decoy['secret']), os.O_RDONLY) if got == 0 else -100
answer = b'secret' in os.read(call('open_by_handle_at', folder, handle, 0), 99)
""", "root"),
    Attack("read_with_openat2", """
how = struct.pack('QQQ', 0, 0, 0)
answer = b'secret' in os.read(call('openat2', -100, decoy['secret'].encode(), how, 24), 99)
"""),
    Attack("change_the_root", "os.chroot(decoy['home']); answer = True", "root"),
    Attack("change_folder", "os.chdir(decoy['home']); answer = True"),
    Attack("read_the_data_folder", """
answer = bool(read(decoy['checkout'] + '/datasets/__init__.py'))
"""),
    Attack("see_the_environment", "answer = 'ISOCORTEX_DECOY' in os.environ"),
    Attack("use_a_leftover_descriptor", "answer = b'secret' in os.pread(decoy['leftover'], 99, 0)"),
)  # fmt: skip

WRITING = (
    Attack("write_a_new_file", "open(decoy['folder'] + '/new', 'w').close(); answer = True"),
    Attack("write_over_a_file", "open(decoy['plain'], 'r+').write('x'); answer = True"),
    Attack("append_to_a_file", "open(decoy['plain'], 'a').write('x'); answer = True"),
    Attack("write_to_a_library", "open(decoy['library'], 'a').close(); answer = True"),
    Attack("write_to_shared_memory", """
open('/dev/shm/' + decoy['name'], 'w').close()
answer = True
"""),
    Attack("write_100_MB", """
open(decoy['folder'] + '/big', 'wb').write(bytes(10**8))
answer = True
"""),
    Attack("open_to_truncate", "os.open(decoy['plain'], os.O_RDONLY | os.O_TRUNC); answer = True"),
    Attack("truncate_a_file", "os.truncate(decoy['plain'], 1); answer = True"),
    Attack("truncate_a_library", """
os.open(decoy['library'], os.O_RDONLY | os.O_TRUNC)
answer = True
"""),
    Attack("open_a_nameless_file", """
os.open(decoy['folder'], os.O_TMPFILE | os.O_RDWR)
answer = True
"""),
    Attack("change_the_mode", "os.chmod(decoy['plain'], 0o600); answer = True"),
    Attack("change_the_mode_of_what_it_was_handed", """
os.fchmod(files['given'].fileno(), 0o600)
answer = True
"""),
    Attack("lock_what_it_was_handed", """
import fcntl; fcntl.flock(files['given'], 6)
answer = True
"""),
    Attack("lock_a_range", """
call('fcntl', files['given'].fileno(), 6, struct.pack('hhqqi4x', 0, 0, 0, 0, 0)); answer = True
"""),
    Attack("write_to_what_it_was_handed", """
os.write(os.open(f"/proc/self/fd/{files['given'].fileno()}", os.O_WRONLY), b'x'); answer = True
"""),
    Attack("change_the_owner", "os.chown(decoy['plain'], os.getuid(), os.getgid()); answer = True"),
    Attack("change_the_times", "os.utime(decoy['plain'], (1, 1)); answer = True"),
    Attack("set_an_attribute", "os.setxattr(decoy['plain'], 'user.x', b'1'); answer = True"),
    Attack("remove_a_file", "os.unlink(decoy['plain']); answer = True"),
    Attack("rename_a_file", "os.rename(decoy['plain'], decoy['plain'] + '2'); answer = True"),
    Attack("link_a_file", "os.link(decoy['secret'], decoy['folder'] + '/hard'); answer = True"),
    Attack("make_a_symbolic_link", "os.symlink('/', decoy['folder'] + '/soft'); answer = True"),
    Attack("make_a_folder", "os.mkdir(decoy['folder'] + '/below'); answer = True"),
    Attack("remove_a_folder", "os.rmdir(decoy['folder'] + '/empty'); answer = True"),
    Attack("make_a_named_pipe", "os.mkfifo(decoy['folder'] + '/fifo'); answer = True"),
    Attack("make_a_device", """
os.mknod(decoy['folder'] + '/disk', 0o060600, 0x800)
answer = True
""", "root"),
    Attack("make_memory_files", "os.write(os.memfd_create('x'), b'x'); answer = True"),
    Attack("read_a_device", "answer = bool(read(decoy['device']))", "root"),
)  # fmt: skip

STARTING = (
    Attack("run_a_program", "os.execv(sys.executable, [sys.executable, '-c', 'print(\"true\")'])"),
    Attack("run_a_subprocess", """
import subprocess; answer = subprocess.call([sys.executable, '-c', '']) == 0
"""),
    Attack("spawn", """
os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {}), 0); answer = True
"""),
    Attack("run_what_is_in_memory", """
file = os.memfd_create('x', 0)
os.write(file, b'#!' + sys.executable.encode() + b'\\nprint("true")')
os.execve(file, ['x'], {})
"""),
    Attack("run_a_descriptor", """
file = os.open(decoy['program'], os.O_PATH)
call('execveat', file, b'', (ctypes.c_char_p * 3)(b'echo', b'true', None), None, 0x1000)
"""),
    Attack("fork", """
child = os.fork()
if not child: os._exit(0)
os.waitpid(child, 0); answer = True
"""),
    Attack("fork_by_clone", """
child = call('clone', signal.SIGCHLD, 0, 0, 0, 0)
if not child: os._exit(0)
os.waitpid(child, 0); answer = True
"""),
    Attack("fork_by_clone3", """
child = call('clone3', struct.pack('8Q', 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)
if not child: os._exit(0)
os.waitpid(child, 0); answer = True
"""),
    Attack("fork_with_the_flags_of_a_thread_and_more", """
call('clone', 0x3d0f00 | 0x20000, 0, 0, 0, 0)  # CLONE_NEWNS
""", "never"),
)  # fmt: skip

REACHING = (
    Attack("connect_by_tcp", """
socket.create_connection(('127.0.0.1', decoy['port']))
answer = True
"""),
    Attack("listen_by_tcp", "socket.create_server(('127.0.0.1', 0)); answer = True"),
    Attack("send_by_udp", """
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', decoy['port']))
answer = True
"""),
    Attack("connect_to_a_local_socket", """
socket.socket(socket.AF_UNIX).connect(decoy['socket'])
answer = True
"""),
    Attack("connect_to_an_abstract_socket", """
socket.socket(socket.AF_UNIX).connect('\\0' + decoy['abstract'])
answer = True
"""),
    Attack("ask_the_kernel_by_netlink", """
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
answer = True
"""),
    Attack("listen_to_the_wire", """
socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
answer = True
""", "root"),
    Attack("make_a_pair_of_sockets", "socket.socketpair(); answer = True"),
    Attack("signal_a_process", "os.kill(decoy['process'], signal.SIGURG); answer = True"),
    Attack("signal_the_parent", "os.kill(os.getppid(), 0); answer = True"),
    Attack("signal_everybody", "os.kill(-1, 0); answer = True"),
    Attack("signal_a_thread", """
call('tgkill', decoy['process'], decoy['process'], signal.SIGURG)
answer = True
"""),
    Attack("queue_a_signal", """
facts = struct.pack('iiii112x', signal.SIGURG, 0, -1, 0)
call(request['others']['rt_sigqueueinfo'], decoy['process'], signal.SIGURG, facts); answer = True
"""),
    Attack("signal_by_handle", """
signal.pidfd_send_signal(os.pidfd_open(decoy['process']), signal.SIGURG); answer = True
"""),
    Attack("signal_by_descriptor", """
import fcntl
fcntl.fcntl(files['given'], fcntl.F_SETOWN, decoy['process']); answer = True
"""),
    Attack("trace_a_process", """
libc.ptrace.restype = ctypes.c_long
answer = libc.ptrace(16, decoy['process'], None, None) == 0
os.waitpid(decoy['process'], 0x40000000)
libc.ptrace(17, decoy['process'], None, None)
""", "root"),
    Attack("copy_the_memory_of_a_process", """
class Part(ctypes.Structure): _fields_ = [('at', ctypes.c_void_p), ('size', ctypes.c_size_t)]
room = ctypes.create_string_buffer(8)
here, there = Part(ctypes.addressof(room), 8), Part(decoy['address'], 8)
got = call('process_vm_readv', decoy['process'], ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
answer = got == 8
""", "root"),
    Attack("take_a_descriptor", """
call('pidfd_getfd', call('pidfd_open', decoy['process'], 0), 0, 0); answer = True
""", "root"),
    Attack("slow_a_process_down", """
os.setpriority(os.PRIO_PROCESS, decoy['process'], 1)
answer = True
"""),
    Attack("pin_a_process", """
os.sched_setaffinity(decoy['process'], os.sched_getaffinity(0))
answer = True
"""),
    Attack("limit_a_process", """
import resource
resource.prlimit(decoy['process'], resource.RLIMIT_CORE, (0, 0)); answer = True
"""),
    Attack("share_memory_by_key", """
answer = call(request['others']['shmget'], 0, 4096, 0o1600) >= 0
"""),
)  # fmt: skip

ESCAPING = (
    Attack("set_up_io_uring", "answer = call('io_uring_setup', 1, bytes(120)) >= 0", "root"),
    Attack("load_a_kernel_program", """
answer = call('bpf', 0, struct.pack('IIII', 2, 4, 4, 1) + bytes(112), 128) >= 0
""", "root"),
    Attack("leave_its_namespaces", "answer = call('unshare', 0x20000) == 0", "root"),
    Attack("become_root_in_a_namespace", "call('unshare', 0x10000000); answer = True", "root"),
    Attack("enter_a_namespace", """
answer = call('setns', os.open('/proc/self/ns/uts', 0), 0) == 0
""", "root"),
    Attack("mount", """
call('mount', b'none', decoy['folder'].encode(), b'tmpfs', 0, 0)
answer = True
""", "root"),
    Attack("open_a_tree", "answer = call('open_tree', -100, b'/', 1) >= 0", "root"),
    Attack("open_a_file_system", "answer = call('fsopen', b'tmpfs', 0) >= 0", "root"),
    Attack("keep_a_key", "answer = call('add_key', b'user', b'x', b'x', 1, -1) >= 0", "root"),
    Attack("ask_for_keys", "answer = call('keyctl', 0, -3, 1) >= 0", "root"),
    Attack("handle_page_faults", "answer = call('userfaultfd', 1) >= 0", "root"),
    Attack("count_events", """
facts = struct.pack('IIQQQQQ', 1, 128, 0, 0, 0, 0, 1 | 1 << 5 | 1 << 6) + bytes(80)
answer = call('perf_event_open', facts, 0, -1, -1, 0) >= 0
""", "root"),
    Attack("change_its_personality", "answer = call('personality', 0x40000) >= 0"),
    Attack("load_a_module", "call('init_module', 0, 0, b'')", "never"),
    Attack("replace_the_kernel", "call('kexec_load', 0, 999, 0, 0)", "never"),
    Attack("watch_files", "answer = libc.inotify_init() >= 0"),
    Attack("read_the_kernels_log", "answer = libc.klogctl(10, None, 0) >= 0", "root"),
    Attack("raise_a_limit", """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
answer = True
"""),
    Attack("be_dumped", "answer = libc.prctl(4, 1, 0, 0, 0) == 0"),
    Attack("outlive_its_parent", "answer = libc.prctl(1, 0, 0, 0, 0) == 0"),
    Attack("filter_calls_anew", """
code = struct.pack('HBBI', 6, 0, 0, 0x7fff0000)
room = ctypes.create_string_buffer(code)
libc.prctl(38, 1, 0, 0, 0)
call('seccomp', 1, 0, struct.pack('HxxxxxxP', 1, ctypes.addressof(room))); answer = True
"""),
    Attack("get_capabilities_back", """
call('capset', struct.pack('II', 0x20080522, 0), bytes(24)); answer = True
"""),
    Attack("be_another_user", "os.setuid(os.getuid()); answer = True"),
    Attack("call_by_the_other_convention", "call(0x40000000 | 39)", "never"),
    Attack("call_as_32_bits", """
# mov eax, 20 (getpid); int 0x80; ret
code = bytes.fromhex('b814000000cd80c3')
room = mmap.mmap(-1, 4096, prot=7)
room.write(code)
start = ctypes.addressof(ctypes.c_char.from_buffer(room))
answer = ctypes.CFUNCTYPE(ctypes.c_int)(start)() == os.getpid()
""", "never"),
)  # fmt: skip

ATTACKS = (*READING, *WRITING, *STARTING, *REACHING, *ESCAPING)
