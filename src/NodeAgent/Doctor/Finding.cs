namespace NodeAgent.Doctor;

/// <summary>How bad a finding is.</summary>
internal enum FindingLevel
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>The node can become Ready, but something will not work or not as meant.</summary>
    Warn,

    /// <summary>The node could not become Ready.</summary>
    Fail,
}

/// <summary>One line of the doctor's report.</summary>
/// <param name="Level">How bad.</param>
/// <param name="Subject">What was looked at.</param>
/// <param name="Message">What was found.</param>
/// <param name="Remedy">What to do; empty when all is well.</param>
internal sealed record Finding(FindingLevel Level, string Subject, string Message, string Remedy = "")
{
    internal static Finding Ok(string subject, string message) => new(FindingLevel.Ok, subject, message);

    internal static Finding Warn(string subject, string message, string remedy) => new(FindingLevel.Warn, subject, message, remedy);

    internal static Finding Fail(string subject, string message, string remedy) => new(FindingLevel.Fail, subject, message, remedy);

    private string Word => Level switch { FindingLevel.Ok => "ok", FindingLevel.Warn => "warn", _ => "FAIL" };

    /// <summary>The line as printed.</summary>
    public override string ToString()
    {
        string line = $"{Word,-5} {Subject,-14} {Message}";
        return Remedy.Length == 0 ? line : $"{line}\n{"",20} -> {Remedy}";
    }
}
