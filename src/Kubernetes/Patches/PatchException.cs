namespace NodeAgent.Kubernetes.Patches;

/// <summary>A patch that is malformed or does not fit the object it is applied to.</summary>
public sealed class PatchException(string message) : Exception(message);
