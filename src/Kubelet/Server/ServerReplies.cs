using System.Text;
using Microsoft.AspNetCore.Http;

namespace NodeAgent.Kubelet.Server;

/// <summary>Writes answers as upstream's server does.</summary>
internal static class ServerReplies
{
    public static Task TextAsync(this HttpResponse response, int statusCode, string text) =>
        BytesAsync(response, statusCode, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text));

    public static Task JsonAsync(this HttpResponse response, byte[] utf8Json) => BytesAsync(response, StatusCodes.Status200OK, "application/json", utf8Json);

    public static async Task BytesAsync(this HttpResponse response, int statusCode, string contentType, byte[] bytes)
    {
        response.StatusCode = statusCode;
        response.ContentType = contentType;
        response.ContentLength = bytes.Length;
        if (!HttpMethods.IsHead(response.HttpContext.Request.Method))
        {
            await response.Body.WriteAsync(bytes, response.HttpContext.RequestAborted);
        }
    }
}
