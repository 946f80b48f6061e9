using System.IO.Enumeration;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Logging;

/// <summary>klog's numbers as levels: 0 to 3 information, 4 and 5 debug, from 6 on trace; single categories by vmodule.</summary>
internal sealed class Verbosity(LoggingConfiguration configuration)
{
    internal static int Of(LogLevel level) => level switch
    {
        LogLevel.Trace => 6,
        LogLevel.Debug => 4,
        _ => 0,
    };

    /// <summary>The lowest level that is written for a category; the first matching vmodule pattern wins.</summary>
    internal LogLevel Least(string category)
    {
        string name = ShortName(category);
        VModuleItem? item = configuration.VModule.FirstOrDefault(i => FileSystemName.MatchesSimpleExpression(i.FilePattern, name));
        return (item?.Verbosity ?? configuration.Verbosity) switch
        {
            >= 6 => LogLevel.Trace,
            >= 4 => LogLevel.Debug,
            _ => LogLevel.Information,
        };
    }

    internal static string ShortName(string category)
    {
        int generic = category.IndexOf('<', StringComparison.Ordinal);
        string plain = generic < 0 ? category : category[..generic];
        return plain[(plain.LastIndexOf('.') + 1)..];
    }
}
