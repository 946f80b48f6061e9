using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Network;

/// <summary>An address on an interface.</summary>
/// <param name="Interface">The interface's name.</param>
/// <param name="Address">The address; link-local IPv6 ones carry no scope.</param>
public readonly record struct InterfaceAddress(string Interface, IPAddress Address);

/// <summary>
/// All addresses of all interfaces by one getifaddrs. NetworkInterface would read several files of /proc for each interface, and fails
/// where one goes while it reads: a node has an interface for each pod, and looks every ten seconds.
/// </summary>
public static unsafe class InterfaceAddresses
{
    /// <summary>The addresses in the kernel's order.</summary>
    /// <exception cref="LinuxException">The kernel gives no list.</exception>
    public static IReadOnlyList<InterfaceAddress> Read()
    {
        IfAddrs* first;
        if (Libc.getifaddrs(&first) != 0)
        {
            throw new LinuxException("getifaddrs", "all interfaces", Marshal.GetLastPInvokeError());
        }

        try
        {
            List<InterfaceAddress> found = [];
            for (IfAddrs* at = first; at is not null; at = at->Next)
            {
                if (at->Address is not null && Parse(at->Address) is { } address)
                {
                    found.Add(new InterfaceAddress(Marshal.PtrToStringUTF8((nint)at->Name) ?? "", address));
                }
            }

            return found;
        }
        finally
        {
            Libc.freeifaddrs(first);
        }
    }

    // sockaddr_in has its address after family and port, sockaddr_in6 after the flow label too.
    private static IPAddress? Parse(byte* socketAddress) => *(ushort*)socketAddress switch
    {
        (ushort)AddressFamily.InterNetwork => new IPAddress(new ReadOnlySpan<byte>(socketAddress + 4, 4)),
        Libc.AF_INET6 => new IPAddress(new ReadOnlySpan<byte>(socketAddress + 8, 16)),
        _ => null,
    };
}

/// <summary>struct ifaddrs of 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IfAddrs
{
    internal IfAddrs* Next;
    internal byte* Name;
    internal uint Flags;
    internal byte* Address;
    internal byte* Netmask;
    internal byte* Broadcast;
    internal void* Data;
}
