using System.Collections.Concurrent;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace NodeAgent.Architecture.Tests;

/// <summary>One use of a type or member, found in an assembly's metadata and code.</summary>
/// <param name="From">The full name of the outermost type that uses it.</param>
/// <param name="To">The full name of the type used (outermost for our own nested types).</param>
/// <param name="Member">The member called or read; empty for a mere mention of the type.</param>
internal sealed record Use(string From, string To, string Member);

/// <summary>What one assembly refers to; read from the file, nothing is loaded.</summary>
internal sealed class AssemblyFacts
{
    private static readonly ConcurrentDictionary<string, AssemblyFacts> Known = new();
    private static readonly Dictionary<short, OpCode> Codes = typeof(OpCodes).GetFields()
        .Select(field => field.GetValue(null)).OfType<OpCode>().ToDictionary(code => code.Value);

    private readonly HashSet<Use> _uses = [];
    private readonly MetadataReader _metadata;
    private readonly TypeNames _names;

    private AssemblyFacts(PEReader file)
    {
        _metadata = file.GetMetadataReader();
        _names = new TypeNames(_metadata);
        OwnReferences = [.. _metadata.AssemblyReferences.Select(handle => _metadata.GetString(_metadata.GetAssemblyReference(handle).Name))
            .Where(name => name.StartsWith("NodeAgent.", StringComparison.Ordinal)).Select(name => name["NodeAgent.".Length..])];
        foreach (TypeDefinitionHandle handle in _metadata.TypeDefinitions)
            Read(file, handle);
    }

    internal IReadOnlyList<string> OwnReferences { get; }

    internal IReadOnlyCollection<Use> Uses => _uses;

    internal static AssemblyFacts Of(string project) => Known.GetOrAdd(project, name =>
    {
        using PEReader file = new(File.OpenRead(Repository.Assembly(name)));
        return new AssemblyFacts(file);
    });

    private void Read(PEReader file, TypeDefinitionHandle handle)
    {
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        string from = _names.Outermost(handle);
        Mention(from, type.BaseType);
        foreach (InterfaceImplementationHandle implementation in type.GetInterfaceImplementations())
            Mention(from, _metadata.GetInterfaceImplementation(implementation).Interface);
        foreach (FieldDefinitionHandle field in type.GetFields())
            Add(from, _metadata.GetFieldDefinition(field).DecodeSignature(_names, null), "");
        foreach (MethodDefinitionHandle methodHandle in type.GetMethods())
        {
            MethodDefinition method = _metadata.GetMethodDefinition(methodHandle);
            MethodSignature<IEnumerable<string>> signature = method.DecodeSignature(_names, null);
            Add(from, signature.ReturnType.Concat(signature.ParameterTypes.SelectMany(names => names)), "");
            if (method.RelativeVirtualAddress != 0)
                ReadCode(from, file.GetMethodBody(method.RelativeVirtualAddress));
        }
    }

    private void ReadCode(string from, MethodBodyBlock body)
    {
        BlobReader code = body.GetILReader();
        while (code.RemainingBytes > 0)
        {
            short value = code.ReadByte();
            if (value == 0xFE) value = (short)(0xFE00 | code.ReadByte());
            switch (Codes[value].OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    Mention(from, MetadataTokens.EntityHandle(code.ReadInt32()));
                    break;
                case OperandType.InlineSwitch:
                    int targets = code.ReadInt32();
                    code.Offset += 4 * targets;
                    break;
                case OperandType kind:
                    code.Offset += Size(kind);
                    break;
            }
        }
        foreach (ExceptionRegion region in body.ExceptionRegions)
            Mention(from, region.CatchType);
    }

    private static int Size(OperandType kind) => kind switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };

    private void Mention(string from, EntityHandle handle)
    {
        if (handle.IsNil) return;
        switch (handle.Kind)
        {
            case HandleKind.MethodSpecification:
                MethodSpecification generic = _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                Mention(from, generic.Method);
                Add(from, generic.DecodeSignature(_names, null).SelectMany(names => names), "");
                break;
            case HandleKind.MemberReference:
                MemberReference member = _metadata.GetMemberReference((MemberReferenceHandle)handle);
                Add(from, _names.Of(member.Parent), _metadata.GetString(member.Name));
                break;
            case HandleKind.MethodDefinition:
                MethodDefinition method = _metadata.GetMethodDefinition((MethodDefinitionHandle)handle);
                Add(from, _names.Of(method.GetDeclaringType()), _metadata.GetString(method.Name));
                break;
            case HandleKind.FieldDefinition:
                Add(from, _names.Of(_metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType()), "");
                break;
            default:
                Add(from, _names.Of(handle), "");
                break;
        }
    }

    private void Add(string from, IEnumerable<string> names, string member)
    {
        foreach (string name in names)
        {
            if (name != from) _uses.Add(new Use(from, name, member));
        }
    }
}
