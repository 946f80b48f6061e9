using System.Runtime.InteropServices;

namespace NodeAgent.Linux.Netlink;

/// <summary>The kernel refused a netlink request, or its answer could not be read.</summary>
public sealed class NetlinkException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked, and the kernel's own words where it gave some.</param>
    /// <param name="errno">The kernel's error number; 0 where the answer could not be read. A subsystem's own numbers begin at 4096: the message has their meaning.</param>
    public NetlinkException(string message, int errno)
        : base(errno is 0 or >= 4096 ? message : $"{message}: {Marshal.GetPInvokeErrorMessage(errno)}") => Errno = errno;

    /// <summary>The kernel's error number; see <see cref="Syscalls.Errno"/>.</summary>
    public int Errno { get; }
}
