namespace NodeAgent.Testing;

/// <summary>A test that mounts or changes owners: skipped, with the reason, where it is not run by root.</summary>
internal sealed class RootFactAttribute : Xunit.FactAttribute
{
    public RootFactAttribute()
    {
        if (Environment.UserName != "root")
        {
            Skip = "needs root: it mounts file systems or changes owners";
        }
    }
}
