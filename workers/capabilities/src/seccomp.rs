//! The system calls that no plugin needs.

use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::Dword,
    SeccompCmpOp::{Eq, MaskedEq, Ne},
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, sock_filter,
};
use std::collections::BTreeMap;

/// Everything above is unknown to this list: later calls, and the second set of numbers that
/// x86-64 has for its x32 programs.
const LAST_KNOWN: u32 = libc::SYS_futex_waitv as u32;

/// Calls into the kernel's rarely used corners, and those that administer the machine.
const DENIED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    // Its flags lie in memory, where no filter can look; the C library goes back to `clone`.
    libc::SYS_clone3,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
];

/// The filter as the kernel reads it. A denied call does not exist (`ENOSYS`): programs are
/// prepared for that, and fall back or say so.
///
/// # Errors
/// A sentence, when this machine's architecture is not known.
pub fn filter() -> Result<Vec<u8>, String> {
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules()?, SeccompAction::Allow, missing, target).map_err(|e| e.to_string())?;
    let known = BpfProgram::try_from(filter).map_err(|e| e.to_string())?;
    // Load the call's number; above the last known one: ENOSYS; otherwise on with the rest, whose
    // jumps are relative.
    let unknown = [
        sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
        sock_filter { code: 0x25, jt: 0, jf: 1, k: LAST_KNOWN },
        sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | libc::ENOSYS as u32 },
    ];
    let bytes = |i: sock_filter| {
        let [c0, c1] = i.code.to_ne_bytes();
        let [k0, k1, k2, k3] = i.k.to_ne_bytes();
        [c0, c1, i.jt, i.jf, k0, k1, k2, k3]
    };
    Ok(unknown.into_iter().chain(known).flat_map(bytes).collect())
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, String> {
    let condition = |arg, op, value: i32| {
        SeccompCondition::new(arg, Dword, op, value as u64 & 0xffff_ffff).map_err(|e| e.to_string())
    };
    let rule = |conditions| SeccompRule::new(conditions).map_err(|e| e.to_string());
    let mut rules: BTreeMap<_, _> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    // Any new namespace, by any flag.
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let clone = namespaces
        .into_iter()
        .map(|flag| rule(vec![condition(0, MaskedEq(flag as u64), flag)?]))
        .collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_clone, clone);
    // Sockets but for the three ordinary families: some others reach past a network namespace.
    let ordinary = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let other = ordinary.into_iter().map(|family| condition(0, Ne, family)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_socket, vec![rule(other)?]);
    // Keystrokes put into a terminal.
    rules.insert(libc::SYS_ioctl, vec![rule(vec![condition(1, Eq, libc::TIOCSTI as i32)?])?]);
    Ok(rules)
}
