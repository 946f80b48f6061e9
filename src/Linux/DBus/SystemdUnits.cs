namespace NodeAgent.Linux.DBus;

/// <summary>A unit's property with its value.</summary>
/// <param name="Name">e.g. CPUWeight.</param>
/// <param name="Value">Typed value.</param>
public sealed record UnitProperty(string Name, DBusVariant Value);

/// <summary>What is needed of systemd's manager: transient units and their properties.</summary>
public interface ISystemdUnits
{
    /// <summary>Starts a transient unit and waits until its job is done. A unit that exists already is left as it is and gives false.</summary>
    Task<bool> StartTransientAsync(string unit, IReadOnlyList<UnitProperty> properties, CancellationToken cancellationToken);

    /// <summary>Changes properties of a loaded unit, until the next boot; they survive daemon-reload.</summary>
    Task SetPropertiesAsync(string unit, IReadOnlyList<UnitProperty> properties, CancellationToken cancellationToken);

    /// <summary>Stops a unit and waits until its job is done. A unit that is not loaded is no error.</summary>
    Task StopAsync(string unit, CancellationToken cancellationToken);
}

/// <summary>systemd over D-Bus: its private socket, else the system bus. Connects when first needed and again after a loss.</summary>
/// <param name="sockets">Tried in order; the first is spoken to directly (no bus).</param>
/// <param name="time">For the job time limit.</param>
public sealed class SystemdUnits(IReadOnlyList<string> sockets, TimeProvider time) : ISystemdUnits, IAsyncDisposable
{
    /// <summary>Private socket and system bus of a usual host.</summary>
    public static readonly IReadOnlyList<string> DefaultSockets = ["/run/systemd/private", "/run/dbus/system_bus_socket"];

    private const string Destination = "org.freedesktop.systemd1";
    private const string ManagerPath = "/org/freedesktop/systemd1";
    private const string ManagerInterface = "org.freedesktop.systemd1.Manager";
    private static readonly TimeSpan JobTimeLimit = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim _connecting = new(1, 1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, string> _finishedJobs = [];
    private readonly Dictionary<string, TaskCompletionSource<string>> _awaitedJobs = [];
    private int _callsUnderWay;
    private DBusConnection? _connection;

    /// <inheritdoc/>
    public async Task<bool> StartTransientAsync(string unit, IReadOnlyList<UnitProperty> properties, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await RunJobAsync("StartTransientUnit", "ssa(sv)a(sa(sv))", [unit, "replace", Pack(properties), Array.Empty<object>()], unit, cancellationToken);
                return true;
            }
            catch (DBusException e) when (e.Name == "org.freedesktop.systemd1.UnitExists" && attempt == 0)
            {
                if (await ActiveStateAsync(unit, cancellationToken) != "failed")
                {
                    return false;
                }

                await CallAsync("ResetFailedUnit", "s", [unit], cancellationToken);
            }
            catch (DBusException e) when (e.Name == "org.freedesktop.systemd1.UnitExists")
            {
                return false;
            }
        }
    }

    /// <inheritdoc/>
    public async Task SetPropertiesAsync(string unit, IReadOnlyList<UnitProperty> properties, CancellationToken cancellationToken) =>
        await CallAsync("SetUnitProperties", "sba(sv)", [unit, true, Pack(properties)], cancellationToken);

    /// <inheritdoc/>
    public async Task StopAsync(string unit, CancellationToken cancellationToken)
    {
        try
        {
            await RunJobAsync("StopUnit", "ss", [unit, "replace"], unit, cancellationToken);
            await CallAsync("ResetFailedUnit", "s", [unit], cancellationToken);
        }
        catch (DBusException e) when (e.Name is "org.freedesktop.systemd1.NoSuchUnit")
        {
            // Gone is what was asked for.
        }
    }

    /// <summary>A unit's ActiveState; "inactive" for units not loaded.</summary>
    public async Task<string> ActiveStateAsync(string unit, CancellationToken cancellationToken)
    {
        try
        {
            IReadOnlyList<object> path = await CallAsync("GetUnit", "s", [unit], cancellationToken);
            DBusConnection connection = await ConnectionAsync(cancellationToken);
            IReadOnlyList<object> state = await connection.CallAsync(
                new DBusMethod(Destination, (string)path[0], "org.freedesktop.DBus.Properties", "Get", "ss", ["org.freedesktop.systemd1.Unit", "ActiveState"]), cancellationToken);
            return (string)((DBusVariant)state[0]).Value;
        }
        catch (DBusException e) when (e.Name is "org.freedesktop.systemd1.NoSuchUnit")
        {
            return "inactive";
        }
    }

    /// <summary>systemctl daemon-reload.</summary>
    public async Task ReloadAsync(CancellationToken cancellationToken) => await CallAsync("Reload", "", [], cancellationToken);

    /// <summary>A property of systemd's manager object, e.g. Version.</summary>
    public async Task<object> ManagerPropertyAsync(string name, CancellationToken cancellationToken)
    {
        DBusConnection connection = await ConnectionAsync(cancellationToken);
        IReadOnlyList<object> reply = await connection.CallAsync(
            new DBusMethod(Destination, ManagerPath, "org.freedesktop.DBus.Properties", "Get", "ss", [ManagerInterface, name]), cancellationToken);
        return ((DBusVariant)reply[0]).Value;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_connection is { } connection)
        {
            await connection.DisposeAsync();
        }

        _connecting.Dispose();
    }

    private static object[] Pack(IReadOnlyList<UnitProperty> properties) => [.. properties.Select(p => new object[] { p.Name, p.Value })];

    private async Task RunJobAsync(string method, string signature, IReadOnlyList<object> arguments, string unit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _callsUnderWay++;
        }

        try
        {
            IReadOnlyList<object> reply = await CallAsync(method, signature, arguments, cancellationToken);
            string job = (string)reply[0];
            string result;
            try
            {
                result = await JobResultAsync(job).WaitAsync(JobTimeLimit, time, cancellationToken);
            }
            catch (TimeoutException e)
            {
                throw new DBusConnectionException($"systemd did not finish {method} of \"{unit}\" within {JobTimeLimit.TotalSeconds} s; see systemctl list-jobs", e);
            }

            if (result is not ("done" or "skipped"))
            {
                throw new DBusException("job-" + result, method, $"the job for unit \"{unit}\" ended as \"{result}\"; see systemctl status {unit}");
            }
        }
        finally
        {
            lock (_lock)
            {
                if (--_callsUnderWay == 0)
                {
                    _finishedJobs.Clear();
                    _awaitedJobs.Clear();
                }
            }
        }
    }

    private Task<string> JobResultAsync(string job)
    {
        lock (_lock)
        {
            if (_finishedJobs.Remove(job, out string? result))
            {
                return Task.FromResult(result);
            }

            TaskCompletionSource<string> awaited = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaitedJobs[job] = awaited;
            return awaited.Task;
        }
    }

    // JobRemoved(u id, o job, s unit, s result) may come before the caller has seen the reply that names the job.
    private void OnSignal(DBusMessage signal)
    {
        if (signal.Member != "JobRemoved" || signal.Body is not [_, string job, _, string result])
        {
            return;
        }

        lock (_lock)
        {
            if (_awaitedJobs.Remove(job, out TaskCompletionSource<string>? awaited))
            {
                awaited.TrySetResult(result);
            }
            else if (_callsUnderWay > 0)
            {
                _finishedJobs[job] = result;
            }
        }
    }

    private async Task<IReadOnlyList<object>> CallAsync(string member, string signature, IReadOnlyList<object> arguments, CancellationToken cancellationToken)
    {
        DBusConnection connection = await ConnectionAsync(cancellationToken);
        return await connection.CallAsync(new DBusMethod(Destination, ManagerPath, ManagerInterface, member, signature, arguments), cancellationToken);
    }

    private async Task<DBusConnection> ConnectionAsync(CancellationToken cancellationToken)
    {
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            if (_connection is { } connection && !connection.Closed.IsCompleted)
            {
                return connection;
            }

            return _connection = await ConnectAsync(cancellationToken);
        }
        finally
        {
            _connecting.Release();
        }
    }

    private async Task<DBusConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        DBusConnectionException? last = null;
        for (int i = 0; i < sockets.Count; i++)
        {
            try
            {
                DBusConnection connection = await DBusConnection.ConnectAsync(sockets[i], OnSignal, cancellationToken);
                if (i > 0)
                {
                    await SubscribeAsync(connection, cancellationToken);
                }

                _ = FailJobsWhenClosedAsync(connection);
                return connection;
            }
            catch (DBusConnectionException e)
            {
                last = e;
            }
        }

        throw new DBusConnectionException("systemd cannot be reached over D-Bus; the systemd cgroup driver needs it: " + last?.Message, last);
    }

    // On a bus one must say hello, ask the bus for the signal, and ask systemd to send any.
    private static async Task SubscribeAsync(DBusConnection connection, CancellationToken cancellationToken)
    {
        const string bus = "org.freedesktop.DBus";
        await connection.CallAsync(new DBusMethod(bus, "/org/freedesktop/DBus", bus, "Hello", "", []), cancellationToken);
        await connection.CallAsync(
            new DBusMethod(bus, "/org/freedesktop/DBus", bus, "AddMatch", "s", [$"type='signal',interface='{ManagerInterface}',member='JobRemoved'"]), cancellationToken);
        await connection.CallAsync(new DBusMethod(Destination, ManagerPath, ManagerInterface, "Subscribe", "", []), cancellationToken);
    }

    private async Task FailJobsWhenClosedAsync(DBusConnection connection)
    {
        await connection.Closed;
        lock (_lock)
        {
            foreach (TaskCompletionSource<string> awaited in _awaitedJobs.Values)
            {
                awaited.TrySetException(new DBusConnectionException("systemd closed the D-Bus connection before the job was done"));
            }

            _awaitedJobs.Clear();
        }
    }
}
