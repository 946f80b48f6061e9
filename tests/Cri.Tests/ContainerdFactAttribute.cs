namespace NodeAgent.Cri.Tests;

/// <summary>A test that needs a real containerd; skipped with the reason where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ContainerdFactAttribute : FactAttribute
{
    internal const string Binary = "/usr/bin/containerd";

    public ContainerdFactAttribute()
    {
        if (!File.Exists(Binary)) Skip = $"{Binary} is absent: install the packages containerd and runc";
        else if (Environment.UserName != "root") Skip = "containerd needs root";
    }
}
