using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>
/// Bodies that kubectl's typed clients send as protobuf (create secret, create token, auth, drain): only the kinds below, by the field
/// numbers of the published .proto files. Everything else comes as JSON.
/// </summary>
internal static class ProtobufBodies
{
    // number → name:type; types: s string, b bytes, n number, f flag, [s] list, {s} {b} maps, other: message of that name.
    private static readonly Dictionary<string, string> Messages = new()
    {
        ["ObjectMeta"] = "1=name:s 2=generateName:s 3=namespace:s 5=uid:s 6=resourceVersion:s 11=labels:{s} 12=annotations:{s} 14=finalizers:[s]",
        ["Secret"] = "1=metadata:ObjectMeta 2=data:{b} 3=type:s 4=stringData:{s} 5=immutable:f",
        ["ConfigMap"] = "1=metadata:ObjectMeta 2=data:{s} 3=binaryData:{b} 4=immutable:f",
        ["Namespace"] = "1=metadata:ObjectMeta",
        ["ServiceAccount"] = "1=metadata:ObjectMeta 4=automountServiceAccountToken:f",
        ["TokenRequest"] = "1=metadata:ObjectMeta 2=spec:TokenRequestSpec",
        ["TokenRequestSpec"] = "1=audiences:[s] 3=boundObjectRef:BoundObjectReference 4=expirationSeconds:n",
        ["BoundObjectReference"] = "1=kind:s 2=apiVersion:s 3=name:s 4=uid:s",
        ["SelfSubjectReview"] = "1=metadata:ObjectMeta",
        ["SelfSubjectAccessReview"] = "1=metadata:ObjectMeta 2=spec:AccessReviewSpec",
        ["AccessReviewSpec"] = "1=resourceAttributes:ResourceAttributes 2=nonResourceAttributes:NonResourceAttributes",
        ["ResourceAttributes"] = "1=namespace:s 2=verb:s 3=group:s 4=version:s 5=resource:s 6=subresource:s 7=name:s",
        ["NonResourceAttributes"] = "1=path:s 2=verb:s",
        ["Eviction"] = "1=metadata:ObjectMeta 2=deleteOptions:DeleteOptions",
        ["DeleteOptions"] = "1=gracePeriodSeconds:n 2=preconditions:Preconditions 4=propagationPolicy:s",
        ["Preconditions"] = "1=uid:s 2=resourceVersion:s",
    };

    public static JsonObject Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            if (!body.StartsWith("k8s\0"u8))
                throw ApiError.BadRequest("the body is no Kubernetes protobuf");
            string apiVersion = "", kind = "";
            byte[] raw = [];
            foreach ((int number, byte[] value, _) in Fields(body[4..]))
                if (number == 1)
                    foreach ((int inner, byte[] text, _) in Fields(value))
                        _ = inner == 1 ? apiVersion = Encoding.UTF8.GetString(text) : kind = Encoding.UTF8.GetString(text);
                else if (number == 2)
                    raw = value;
            if (!Messages.ContainsKey(kind))
                throw ApiError.UnsupportedMediaType($"the stand-in API server reads {kind} as JSON only");
            JsonObject result = Message(kind, raw);
            result["apiVersion"] = apiVersion;
            result["kind"] = kind;
            return result;
        }
        catch (Exception e) when (e is IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            throw ApiError.BadRequest("the protobuf body is cut short");
        }
    }

    private static JsonObject Message(string name, ReadOnlySpan<byte> bytes)
    {
        Dictionary<int, (string Name, string Type)> fields = Messages[name].Split(' ').Select(f => f.Split('=', ':'))
            .ToDictionary(f => int.Parse(f[0]), f => (f[1], f[2]));
        JsonObject result = [];
        foreach ((int number, byte[] value, ulong scalar) in Fields(bytes))
        {
            if (!fields.TryGetValue(number, out (string Name, string Type) field))
                continue;
            if (field.Type == "[s]")
            {
                if (result[field.Name] is not JsonArray list)
                    result[field.Name] = list = [];
                list.Add(Encoding.UTF8.GetString(value));
            }
            else if (field.Type[0] == '{')
            {
                byte[] key = [], item = [];
                foreach ((int inner, byte[] part, _) in Fields(value))
                    _ = inner == 1 ? key = part : item = part;
                result.Ensure(field.Name)[Encoding.UTF8.GetString(key)] = field.Type == "{b}" ? Convert.ToBase64String(item) : Encoding.UTF8.GetString(item);
            }
            else if (field.Type is not "s" || value.Length > 0)
                result[field.Name] = field.Type switch
                {
                    "s" => Encoding.UTF8.GetString(value),
                    "b" => Convert.ToBase64String(value),
                    "n" => (long)scalar,
                    "f" => scalar != 0,
                    _ => Message(field.Type, value),
                };
        }
        return result;
    }

    private static List<(int Number, byte[] Value, ulong Scalar)> Fields(ReadOnlySpan<byte> bytes)
    {
        List<(int, byte[], ulong)> fields = [];
        while (bytes.Length > 0)
        {
            ulong tag = Varint(ref bytes);
            int number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    fields.Add((number, [], Varint(ref bytes)));
                    break;
                case 1:
                    fields.Add((number, [], BinaryPrimitives.ReadUInt64LittleEndian(bytes)));
                    bytes = bytes[8..];
                    break;
                case 2:
                    int length = (int)Varint(ref bytes);
                    fields.Add((number, bytes[..length].ToArray(), 0));
                    bytes = bytes[length..];
                    break;
                case 5:
                    fields.Add((number, [], BinaryPrimitives.ReadUInt32LittleEndian(bytes)));
                    bytes = bytes[4..];
                    break;
                default:
                    throw ApiError.BadRequest("the protobuf body is malformed");
            }
        }
        return fields;
    }

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
