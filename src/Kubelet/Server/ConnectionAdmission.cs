using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NodeAgent.Linux.Network;

namespace NodeAgent.Kubelet.Server;

/// <summary>
/// Bounds what peers that have not shown who they are can hold of a server: connections, and requests on one connection. Upstream has no such
/// bounds; whoever reaches its port can fill its memory.
/// </summary>
internal sealed class ConnectionAdmission
{
    /// <summary>Above what an API server opens at once before its certificate is read.</summary>
    internal const int PerAddress = 256;

    /// <summary>The most of all addresses.</summary>
    internal const int Total = 1024;

    /// <summary>Requests on one connection whose user is not known yet.</summary>
    internal const int RequestsOfStranger = 8;

    /// <summary>
    /// Requests on one connection until it is closed in order, and twice that until it is cut: an HTTP/2 peer that closes its window keeps every
    /// request it ever sent alive.
    /// </summary>
    internal const int RequestsInAll = 32;

    private const string Key = "nodeagent.peer";
    private readonly UntrustedConnections _strangers = new(PerAddress, Total);

    /// <summary>How many connections are of strangers.</summary>
    internal int Strangers => _strangers.Count;

    /// <summary>Counts the listener's connections, before TLS begins.</summary>
    internal void Guard(ListenOptions listen) => listen.Use(next => async connection =>
    {
        IPAddress peer = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
        using UntrustedConnections.Connection place = _strangers.Add(peer, () => connection.Abort(new ConnectionAbortedException("newer connections came")));
        connection.Items[Key] = new Peer(place);
        await next(connection);
    });

    /// <summary>Who is at the other end of a request's connection; null on a listener without a guard.</summary>
    internal static Peer? Of(HttpContext context) =>
        context.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(Key, out object? value) == true ? (Peer)value! : null;

    /// <summary>The other end of one connection.</summary>
    internal sealed class Peer(UntrustedConnections.Connection place)
    {
        private int _requests, _begun;

        /// <summary>Begins a request; false where a stranger has too many under way. Ended in both cases by <see cref="End"/>.</summary>
        internal bool Begin(HttpContext context)
        {
            bool few = Interlocked.Increment(ref _requests) <= RequestsOfStranger;
            if (place.IsTrusted)
            {
                return true;
            }

            int begun = Interlocked.Increment(ref _begun);
            if (begun == RequestsInAll)
            {
                context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
            }
            else if (begun > 2 * RequestsInAll)
            {
                context.Features.Get<IConnectionLifetimeFeature>()?.Abort();
            }

            return few;
        }

        /// <summary>Ends a request.</summary>
        internal void End() => Interlocked.Decrement(ref _requests);

        /// <summary>A request on it had good credentials.</summary>
        internal void Trust()
        {
            if (!place.IsTrusted)
            {
                place.Trust();
            }
        }
    }
}
