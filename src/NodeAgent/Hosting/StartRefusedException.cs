namespace NodeAgent.Hosting;

/// <summary>This host or its configuration does not allow the agent to start; the message is all an operator needs, remedy included.</summary>
internal sealed class StartRefusedException(string message, Exception? inner = null) : Exception(message, inner);
