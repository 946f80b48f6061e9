namespace NodeAgent.Kubernetes.Objects;

/// <summary>Reads the text form of label selectors.</summary>
internal sealed class LabelSelectorParser(string text)
{
    private int position;
    private string token = "";

    internal List<LabelRequirement> Parse()
    {
        List<LabelRequirement> requirements = [];
        Next();
        if (token.Length == 0)
            return requirements;
        while (true)
        {
            requirements.Add(Requirement());
            if (token.Length == 0)
                return requirements;
            if (token != ",")
                throw Unexpected("','");
            Next();
        }
    }

    private LabelRequirement Requirement()
    {
        if (token == "!")
        {
            Next();
            return new(Word("a label"), LabelOperator.DoesNotExist, []);
        }
        string key = Word("a label or '!'");
        if (token is "" or ",")
            return new(key, LabelOperator.Exists, []);
        LabelOperator comparison = token switch
        {
            "=" => LabelOperator.Equals,
            "==" => LabelOperator.DoubleEquals,
            "!=" => LabelOperator.NotEquals,
            "in" => LabelOperator.In,
            "notin" => LabelOperator.NotIn,
            ">" => LabelOperator.GreaterThan,
            "<" => LabelOperator.LessThan,
            _ => throw Unexpected("one of = == != in notin > <"),
        };
        Next();
        if (comparison is LabelOperator.In or LabelOperator.NotIn)
            return new(key, comparison, Set());
        return new(key, comparison, [token is "" or "," ? "" : Word("a value")]);
    }

    private List<string> Set()
    {
        if (token != "(")
            throw Unexpected("'('");
        Next();
        SortedSet<string> values = new(StringComparer.Ordinal);
        while (true)
        {
            values.Add(token is "," or ")" ? "" : Word("a value"));
            if (token == ")")
            {
                Next();
                return [.. values];
            }
            if (token != ",")
                throw Unexpected("',' or ')'");
            Next();
        }
    }

    private string Word(string wanted)
    {
        if (token.Length == 0 || IsSymbol(token[0]))
            throw Unexpected(wanted);
        string word = token;
        Next();
        return word;
    }

    private void Next()
    {
        while (position < text.Length && IsSpace(text[position]))
            position++;
        int start = position;
        if (position < text.Length && text[position] is '(' or ')' or ',')
            position++;
        else if (position < text.Length && IsSymbol(text[position]))
            while (position < text.Length && text[position] is '=' or '!' or '<' or '>' && position - start < 2 && Joins(start))
                position++;
        else
            while (position < text.Length && !IsSpace(text[position]) && !IsSymbol(text[position]))
                position++;
        token = text[start..position];
    }

    // Two symbols are one token only as == and !=.
    private bool Joins(int start) => position == start || (text[position] == '=' && text[start] is '=' or '!');

    private FormatException Unexpected(string wanted) =>
        new($"label selector \"{text}\": found \"{token}\" before position {position}, expected {wanted}");

    private static bool IsSymbol(char c) => c is '=' or '!' or '(' or ')' or ',' or '<' or '>';

    private static bool IsSpace(char c) => c is ' ' or '\t' or '\r' or '\n';
}
