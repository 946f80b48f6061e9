namespace NodeAgent.Linux.DBus;

/// <summary>The peer answered a D-Bus call with an error.</summary>
/// <param name="name">The error's name, e.g. org.freedesktop.systemd1.NoSuchUnit.</param>
/// <param name="call">Interface and member called.</param>
/// <param name="text">The error's text.</param>
public sealed class DBusException(string name, string call, string text) : Exception($"{call}: {text} ({name})")
{
    /// <summary>The error's name.</summary>
    public string Name { get; } = name;
}

/// <summary>The peer sent bytes that are no D-Bus, refused the login, or went away.</summary>
/// <param name="message">What was wrong.</param>
/// <param name="inner">The cause.</param>
public sealed class DBusConnectionException(string message, Exception? inner = null) : Exception(message, inner);
